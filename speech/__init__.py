"""Speech made from text, by a process of its own (`speech.worker`): providers, and a cache of what was spoken.

A provider (`speech.providers.Provider`) turns a text into samples; everything else is the same for all of them. Nothing
here knows of calls.
"""
