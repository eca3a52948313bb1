"""Which way audio takes to each leg: relayed, mixed in the tick, or not at all."""

from media.session import Paths, Session


def choose_paths(session: Session, playing: set[int]) -> Paths:
    """`playing` are rows that hear a prompt or get digits instead of what the matrix gives them.

    A leg is relayed to when it hears exactly one other, as it is, in the same codec, and that one is relayed to
    nobody else; the two directions of a call are chosen apart.
    """
    paths = Paths()
    for leg in session.legs.values():
        if not leg.settings.may_send or leg.guard.destination is None:
            continue
        if leg.row in playing:
            paths.mixed.append(leg)
            continue
        if not leg.hears:
            continue
        speaker, gain = leg.hears[0]
        if (
            len(leg.hears) == 1
            and gain == 1.0
            and speaker.settings.codec == leg.settings.codec
            and speaker.row not in paths.relays
        ):
            paths.relays[speaker.row] = leg.row
        else:
            paths.mixed.append(leg)
            paths.ringed.update(each.row for each, _ in leg.hears)
    return paths
