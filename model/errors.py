"""What a command may be refused with. Codes up to -32600 are JSON-RPC 2.0's own, from -32000 down to -32099 ours."""

from model.declare import ApiError, error


@error(-32700, "parse_error")
class ParseError(ApiError):
    """The line is not JSON."""


@error(-32600, "invalid_request")
class InvalidRequest(ApiError):
    """The line is JSON but not a JSON-RPC 2.0 request."""


@error(-32601, "unknown_command")
class UnknownCommand(ApiError):
    """There is no command of that name."""


@error(-32602, "invalid_params")
class InvalidParams(ApiError):
    """A parameter is missing, unknown or of the wrong type; the message names it, as does `data.field`."""


@error(-32603, "internal_error")
class InternalError(ApiError):
    """The switch failed to carry out the command; `data.incident` is to be found in its log."""


@error(-32001, "not_authenticated")
class NotAuthenticated(ApiError):
    """Nobody is logged in on this connection, or the login was refused."""


@error(-32002, "permission_denied")
class PermissionDenied(ApiError):
    """The role of this user does not allow the command, or not from there."""


@error(-32003, "too_many_requests")
class TooManyRequests(ApiError):
    """Too many connections or failed logins from this address; `data.retry_after_s` says when to come back."""


@error(-32004, "command_timed_out")
class CommandTimedOut(ApiError):
    """The command did not finish in time; what it started may still happen."""


@error(-32010, "no_such_call")
class NoSuchCall(ApiError):
    """There is no call with that id."""


@error(-32011, "no_such_leg")
class NoSuchLeg(ApiError):
    """The call has no leg with that id."""


@error(-32012, "no_such_recording")
class NoSuchRecording(ApiError):
    """There is no recording with that id, or the call is not being recorded."""


@error(-32013, "no_such_extension")
class NoSuchExtension(ApiError):
    """There is no extension with that number."""


@error(-32014, "already_exists")
class AlreadyExists(ApiError):
    """Something of that name is there already."""


@error(-32015, "wrong_state")
class WrongState(ApiError):
    """This cannot be done in the present state; `data.state` names it."""


@error(-32016, "invalid_value")
class InvalidValue(ApiError):
    """A parameter is well formed but makes no sense here; `data.field` names it."""


@error(-32017, "no_route")
class NoRoute(ApiError):
    """No extension and no trunk leads to that number, or calling it is not allowed."""


@error(-32018, "draining")
class Draining(ApiError):
    """The switch is draining and takes no new calls."""


@error(-32019, "congested")
class Congested(ApiError):
    """A limit of the switch is reached (calls, media ports, writer backlog); try again later."""


@error(-32020, "storage_unavailable")
class StorageUnavailable(ApiError):
    """The database cannot be reached; calls go on, records cannot be read or changed now."""


@error(-32021, "no_such_trace")
class NoSuchTrace(ApiError):
    """There is no such trace: it was stopped, or nobody read it for a minute."""


@error(-32031, "not_reachable")
class NotReachable(ApiError):
    """No phone of that extension is registered."""


@error(-32041, "no_such_monitor")
class NoSuchMonitor(ApiError):
    """There is no monitor with that id, or it has ended."""


@error(-32042, "supervision_denied")
class SupervisionDenied(ApiError):
    """This extension may not supervise that one (`supervises` and `supervision_group` of the two)."""


@error(-32043, "not_waiting")
class NotWaiting(ApiError):
    """The agent does not wait for calls; `data.reason` is disabled, not_registered, do_not_disturb, ringing or busy."""


@error(-32053, "no_such_access_number")
class NoSuchAccessNumber(ApiError):
    """There is no such access number."""


@error(-32054, "no_such_calendar")
class NoSuchCalendar(ApiError):
    """There is no calendar of that name."""


@error(-32060, "no_such_role")
class NoSuchRole(ApiError):
    """There is no role of that name."""


@error(-32061, "in_use")
class InUse(ApiError):
    """Others need it, so it cannot be removed or changed like this; `data.users` names some of them."""


@error(-32066, "no_such_prompt")
class NoSuchPrompt(ApiError):
    """There is no prompt of that name in the library, or it has no audio in that language; the message says which."""


@error(-32067, "no_such_upload")
class NoSuchUpload(ApiError):
    """No upload of that caller has that id, or it was forgotten, or it is not complete; the message says which."""


@error(-32030, "no_such_consult")
class NoSuchConsult(ApiError):
    """There is no consultation with that id, or it is over."""


@error(-32044, "no_such_conference")
class NoSuchConference(ApiError):
    """There is no conference of that name, or it is not on now."""


@error(-32050, "no_such_queue")
class NoSuchQueue(ApiError):
    """There is no queue of that name."""


@error(-32051, "no_such_agent")
class NoSuchAgent(ApiError):
    """There is no agent with that id, or he is not signed in where that is needed; the message says which."""


@error(-32058, "no_such_agent_group")
class NoSuchAgentGroup(ApiError):
    """There is no agent group of that name."""


@error(-32052, "no_such_entry")
class NoSuchEntry(ApiError):
    """No call waits in a queue under that id."""


@error(-32062, "no_such_caller")
class NoSuchCaller(ApiError):
    """There is no such caller on the list."""


@error(-32063, "no_such_alarm")
class NoSuchAlarm(ApiError):
    """That alarm is not on."""


@error(-32070, "no_such_member")
class NoSuchMember(ApiError):
    """There is no member with that number."""


@error(-32072, "no_such_flow")
class NoSuchFlow(ApiError):
    """There is no flow of that name, or it has no such version or draft."""


@error(-32071, "faulty_flow")
class FaultyFlow(ApiError):
    """The flow has mistakes: `data.faults` lists them, each with `node`, `field` and `problem`; `data.n_faults`."""


@error(-32080, "no_such_box")
class NoSuchBox(ApiError):
    """There is no voicemail box with that name."""


@error(-32090, "no_such_campaign")
class NoSuchCampaign(ApiError):
    """There is no campaign of that name."""


@error(-32091, "no_such_record")
class NoSuchRecord(ApiError):
    """There is no record with that id in a campaign."""


@error(-32092, "no_such_appointment")
class NoSuchAppointment(ApiError):
    """There is no appointment with that id."""


@error(-32093, "no_such_customer")
class NoSuchCustomer(ApiError):
    """There is no customer with that id."""


@error(-32094, "no_such_import")
class NoSuchImport(ApiError):
    """There is no import with that id, or it is too old to be remembered."""


@error(-32081, "no_such_message")
class NoSuchMessage(ApiError):
    """There is no message with that id, or its sound is gone."""
