"""Chromium with JsSIP as a phone: the page, its bundle, and the driver over the DevTools protocol (`Chromium`)."""
