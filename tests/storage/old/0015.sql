BEGIN TRANSACTION;
CREATE TABLE access_numbers (
	domain TEXT DEFAULT '' NOT NULL, 
	number TEXT NOT NULL, 
	name TEXT DEFAULT '' NOT NULL, 
	trunk TEXT DEFAULT '' NOT NULL, 
	destination TEXT DEFAULT '' NOT NULL, 
	is_enabled BOOLEAN DEFAULT true NOT NULL, 
	source TEXT DEFAULT '' NOT NULL, 
	created_utc DOUBLE DEFAULT 0 NOT NULL, 
	updated_utc DOUBLE DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_access_numbers PRIMARY KEY (domain, number)
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0015');
CREATE TABLE appointments (
	appointment_id TEXT NOT NULL, 
	agent_id TEXT DEFAULT '' NOT NULL, 
	campaign TEXT DEFAULT '' NOT NULL, 
	record_id TEXT DEFAULT '' NOT NULL, 
	customer_id TEXT DEFAULT '' NOT NULL, 
	number TEXT DEFAULT '' NOT NULL, 
	name TEXT DEFAULT '' NOT NULL, 
	at_utc DOUBLE DEFAULT 0 NOT NULL, 
	matter TEXT DEFAULT '' NOT NULL, 
	state TEXT DEFAULT '' NOT NULL, 
	created_by TEXT DEFAULT '' NOT NULL, 
	created_utc DOUBLE DEFAULT 0 NOT NULL, 
	updated_utc DOUBLE DEFAULT 0 NOT NULL, 
	reminded_utc DOUBLE DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_appointments PRIMARY KEY (appointment_id)
);
CREATE TABLE attempts (
	attempt_id TEXT NOT NULL, 
	campaign TEXT DEFAULT '' NOT NULL, 
	record_id TEXT DEFAULT '' NOT NULL, 
	number TEXT DEFAULT '' NOT NULL, 
	mode TEXT DEFAULT '' NOT NULL, 
	position BIGINT DEFAULT 0 NOT NULL, 
	caller_id TEXT DEFAULT '' NOT NULL, 
	agent_id TEXT DEFAULT '' NOT NULL, 
	started_utc DOUBLE DEFAULT 0 NOT NULL, 
	rang_utc DOUBLE DEFAULT 0 NOT NULL, 
	answered_utc DOUBLE DEFAULT 0 NOT NULL, 
	connected_utc DOUBLE DEFAULT 0 NOT NULL, 
	ended_utc DOUBLE DEFAULT 0 NOT NULL, 
	talk_s DOUBLE DEFAULT 0 NOT NULL, 
	result TEXT DEFAULT '' NOT NULL, 
	cause TEXT DEFAULT '' NOT NULL, 
	sip_status BIGINT DEFAULT 0 NOT NULL, 
	verdict TEXT DEFAULT '' NOT NULL, 
	evidence TEXT DEFAULT '' NOT NULL, 
	is_dropped BOOLEAN DEFAULT false NOT NULL, 
	disposition TEXT DEFAULT '' NOT NULL, 
	number_reversed TEXT DEFAULT '' NOT NULL, zone TEXT DEFAULT '' NOT NULL, is_promised BOOLEAN DEFAULT false NOT NULL, message_utc DOUBLE DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_attempts PRIMARY KEY (attempt_id)
);
CREATE TABLE audit_log (
	seq BIGINT DEFAULT 0 NOT NULL, 
	at_utc DOUBLE DEFAULT 0 NOT NULL, 
	who TEXT DEFAULT '' NOT NULL, 
	role TEXT DEFAULT '' NOT NULL, 
	agent_id TEXT DEFAULT '' NOT NULL, 
	address TEXT DEFAULT '' NOT NULL, 
	action TEXT DEFAULT '' NOT NULL, 
	subject TEXT DEFAULT '' NOT NULL, 
	outcome TEXT DEFAULT '' NOT NULL, 
	reason TEXT DEFAULT '' NOT NULL, 
	params TEXT DEFAULT '' NOT NULL, 
	old_value TEXT DEFAULT '' NOT NULL, 
	new_value TEXT DEFAULT '' NOT NULL, 
	n_times BIGINT DEFAULT 0 NOT NULL, 
	previous_hash TEXT DEFAULT '' NOT NULL, 
	hash TEXT DEFAULT '' NOT NULL, 
	domain TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_audit_log PRIMARY KEY (seq)
);
CREATE TABLE calls (
	call_id TEXT NOT NULL, 
	direction TEXT DEFAULT '' NOT NULL, 
	caller TEXT DEFAULT '' NOT NULL, 
	dialed TEXT DEFAULT '' NOT NULL, 
	access_number TEXT DEFAULT '' NOT NULL, 
	extension TEXT DEFAULT '' NOT NULL, 
	agent_id TEXT DEFAULT '' NOT NULL, 
	trunk TEXT DEFAULT '' NOT NULL, 
	route TEXT DEFAULT '' NOT NULL, 
	created_utc DOUBLE DEFAULT 0 NOT NULL, 
	ringing_utc DOUBLE DEFAULT 0 NOT NULL, 
	answered_utc DOUBLE DEFAULT 0 NOT NULL, 
	bridged_utc DOUBLE DEFAULT 0 NOT NULL, 
	ended_utc DOUBLE DEFAULT 0 NOT NULL, 
	duration_s DOUBLE DEFAULT 0 NOT NULL, 
	talk_s DOUBLE DEFAULT 0 NOT NULL, 
	hold_s DOUBLE DEFAULT 0 NOT NULL, 
	hangup_cause TEXT DEFAULT '' NOT NULL, 
	hangup_side TEXT DEFAULT '' NOT NULL, 
	caller_reversed TEXT DEFAULT '' NOT NULL, 
	dialed_reversed TEXT DEFAULT '' NOT NULL, 
	domain TEXT DEFAULT '' NOT NULL, data TEXT DEFAULT '' NOT NULL, absorbed TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_calls PRIMARY KEY (call_id)
);
INSERT INTO "calls" VALUES('old-call','internal','8001','8002','','8002','','','',1700000000.0,1700000000.25,1700000003.0,0.0,1700000033.0,33.0,30.0,0.0,'NORMAL_CLEARING','caller','1008','2008','','','');
CREATE TABLE campaign_numbers (
	record_id TEXT NOT NULL, 
	position BIGINT DEFAULT 0 NOT NULL, 
	number_reversed TEXT DEFAULT '' NOT NULL, 
	campaign TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_campaign_numbers PRIMARY KEY (record_id, position), 
	CONSTRAINT fk_campaign_numbers_record_id FOREIGN KEY(record_id) REFERENCES campaign_records (record_id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE campaign_records (
	record_id TEXT NOT NULL, 
	campaign TEXT NOT NULL, 
	list_name TEXT DEFAULT '' NOT NULL, 
	"row" BIGINT DEFAULT 0 NOT NULL, 
	name TEXT DEFAULT '' NOT NULL, 
	numbers TEXT DEFAULT '' NOT NULL, 
	data TEXT DEFAULT '' NOT NULL, 
	customer_id TEXT DEFAULT '' NOT NULL, 
	owner TEXT DEFAULT '' NOT NULL, 
	urgency BIGINT DEFAULT 0 NOT NULL, 
	has_consent BOOLEAN DEFAULT false NOT NULL, 
	status TEXT DEFAULT '' NOT NULL, 
	waits_as TEXT DEFAULT '' NOT NULL, 
	n_attempts BIGINT DEFAULT 0 NOT NULL, 
	next_utc DOUBLE DEFAULT 0 NOT NULL, 
	"deferred" TEXT DEFAULT '' NOT NULL, 
	callback_utc DOUBLE DEFAULT 0 NOT NULL, 
	callback_owner TEXT DEFAULT '' NOT NULL, 
	last_utc DOUBLE DEFAULT 0 NOT NULL, 
	last_result TEXT DEFAULT '' NOT NULL, 
	disposition TEXT DEFAULT '' NOT NULL, 
	agent_id TEXT DEFAULT '' NOT NULL, 
	is_answered BOOLEAN DEFAULT false NOT NULL, 
	is_connected BOOLEAN DEFAULT false NOT NULL, 
	story TEXT DEFAULT '' NOT NULL, 
	created_utc DOUBLE DEFAULT 0 NOT NULL, 
	updated_utc DOUBLE DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_campaign_records PRIMARY KEY (record_id)
);
CREATE TABLE campaign_states (
	campaign TEXT NOT NULL, 
	state TEXT DEFAULT '' NOT NULL, 
	document BLOB NOT NULL, 
	updated_utc DOUBLE DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_campaign_states PRIMARY KEY (campaign)
);
CREATE TABLE customer_numbers (
	customer_id TEXT NOT NULL, 
	position BIGINT DEFAULT 0 NOT NULL, 
	number_reversed TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_customer_numbers PRIMARY KEY (customer_id, position), 
	CONSTRAINT fk_customer_numbers_customer_id FOREIGN KEY(customer_id) REFERENCES customers (customer_id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE customers (
	customer_id TEXT NOT NULL, 
	name TEXT DEFAULT '' NOT NULL, 
	numbers TEXT DEFAULT '' NOT NULL, 
	zone TEXT DEFAULT '' NOT NULL, 
	area TEXT DEFAULT '' NOT NULL, 
	owner TEXT DEFAULT '' NOT NULL, 
	has_consent BOOLEAN DEFAULT false NOT NULL, 
	level TEXT DEFAULT '' NOT NULL, 
	tags TEXT DEFAULT '' NOT NULL, 
	data TEXT DEFAULT '' NOT NULL, 
	source TEXT DEFAULT '' NOT NULL, 
	created_utc DOUBLE DEFAULT 0 NOT NULL, 
	updated_utc DOUBLE DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_customers PRIMARY KEY (customer_id)
);
CREATE TABLE dnc (
	number TEXT NOT NULL, 
	campaign TEXT DEFAULT '' NOT NULL, 
	is_prefix BOOLEAN DEFAULT false NOT NULL, 
	reason TEXT DEFAULT '' NOT NULL, 
	source TEXT DEFAULT '' NOT NULL, 
	added_by TEXT DEFAULT '' NOT NULL, 
	added_utc DOUBLE DEFAULT 0 NOT NULL, 
	expires_utc DOUBLE DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_dnc PRIMARY KEY (number, campaign, is_prefix)
);
CREATE TABLE event_log (
	node TEXT NOT NULL, 
	seq BIGINT NOT NULL, 
	at_utc DOUBLE DEFAULT 0 NOT NULL, 
	name TEXT DEFAULT '' NOT NULL, 
	call_id TEXT DEFAULT '' NOT NULL, 
	queue TEXT DEFAULT '' NOT NULL, 
	agent_id TEXT DEFAULT '' NOT NULL, 
	body TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_event_log PRIMARY KEY (node, seq)
);
CREATE TABLE extension_services (
	domain TEXT DEFAULT '' NOT NULL, 
	number TEXT NOT NULL, 
	always_to TEXT DEFAULT '' NOT NULL, 
	busy_to TEXT DEFAULT '' NOT NULL, 
	no_answer_to TEXT DEFAULT '' NOT NULL, 
	is_dnd BOOLEAN DEFAULT false NOT NULL, 
	call_waiting TEXT DEFAULT '' NOT NULL, 
	pickup_group TEXT DEFAULT '' NOT NULL, 
	source TEXT DEFAULT '' NOT NULL, 
	created_utc DOUBLE DEFAULT 0 NOT NULL, 
	updated_utc DOUBLE DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_extension_services PRIMARY KEY (domain, number)
);
CREATE TABLE extension_states (
	domain TEXT DEFAULT '' NOT NULL, 
	number TEXT NOT NULL, 
	new BIGINT DEFAULT 0 NOT NULL, 
	old BIGINT DEFAULT 0 NOT NULL, 
	urgent_new BIGINT DEFAULT 0 NOT NULL, 
	urgent_old BIGINT DEFAULT 0 NOT NULL, 
	activity TEXT DEFAULT '' NOT NULL, 
	note TEXT DEFAULT '' NOT NULL, 
	source TEXT DEFAULT '' NOT NULL, 
	created_utc DOUBLE DEFAULT 0 NOT NULL, 
	updated_utc DOUBLE DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_extension_states PRIMARY KEY (domain, number)
);
CREATE TABLE extensions (
	domain TEXT DEFAULT '' NOT NULL, 
	number TEXT NOT NULL, 
	name TEXT DEFAULT '' NOT NULL, 
	realm TEXT DEFAULT '' NOT NULL, 
	ha1_md5 TEXT DEFAULT '' NOT NULL, 
	ha1_sha256 TEXT DEFAULT '' NOT NULL, 
	caller_id TEXT DEFAULT '' NOT NULL, 
	ring_timeout_s DOUBLE DEFAULT 0 NOT NULL, 
	busy_to TEXT DEFAULT '' NOT NULL, 
	no_answer_to TEXT DEFAULT '' NOT NULL, 
	is_recorded BOOLEAN DEFAULT true NOT NULL, 
	may_call_external BOOLEAN DEFAULT true NOT NULL, 
	may_call_international BOOLEAN DEFAULT false NOT NULL, 
	media TEXT DEFAULT '' NOT NULL, 
	is_enabled BOOLEAN DEFAULT true NOT NULL, 
	source TEXT DEFAULT '' NOT NULL, 
	created_utc DOUBLE DEFAULT 0 NOT NULL, 
	updated_utc DOUBLE DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_extensions PRIMARY KEY (domain, number)
);
INSERT INTO "extensions" VALUES('','8001','Old','','','','',0.0,'','',1,1,0,'relay',1,'',1700000000.0,1700000000.0);
CREATE TABLE flows (
	domain TEXT DEFAULT '' NOT NULL, 
	name TEXT NOT NULL, 
	version BIGINT NOT NULL, 
	document TEXT DEFAULT '' NOT NULL, 
	saved_utc DOUBLE DEFAULT 0 NOT NULL, 
	saved_by TEXT DEFAULT '' NOT NULL, 
	note TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_flows PRIMARY KEY (domain, name, version)
);
CREATE TABLE legs (
	call_id TEXT NOT NULL, 
	position BIGINT DEFAULT 0 NOT NULL, 
	leg_id TEXT DEFAULT '' NOT NULL, 
	direction TEXT DEFAULT '' NOT NULL, 
	kind TEXT DEFAULT '' NOT NULL, 
	name TEXT DEFAULT '' NOT NULL, 
	remote_address TEXT DEFAULT '' NOT NULL, 
	sip_call_id TEXT DEFAULT '' NOT NULL, 
	caller TEXT DEFAULT '' NOT NULL, 
	dialed TEXT DEFAULT '' NOT NULL, 
	created_utc DOUBLE DEFAULT 0 NOT NULL, 
	ringing_utc DOUBLE DEFAULT 0 NOT NULL, 
	answered_utc DOUBLE DEFAULT 0 NOT NULL, 
	bridged_utc DOUBLE DEFAULT 0 NOT NULL, 
	ended_utc DOUBLE DEFAULT 0 NOT NULL, 
	hangup_cause TEXT DEFAULT '' NOT NULL, 
	hangup_side TEXT DEFAULT '' NOT NULL, 
	sip_status BIGINT DEFAULT 0 NOT NULL, 
	codec TEXT DEFAULT '' NOT NULL, 
	packets_received BIGINT DEFAULT 0 NOT NULL, 
	packets_sent BIGINT DEFAULT 0 NOT NULL, 
	packets_lost BIGINT DEFAULT 0 NOT NULL, 
	jitter_ms DOUBLE DEFAULT 0 NOT NULL, packets_late BIGINT DEFAULT 0 NOT NULL, round_trip_ms DOUBLE DEFAULT 0 NOT NULL, mos DOUBLE DEFAULT 0 NOT NULL, concealed_ms DOUBLE DEFAULT 0 NOT NULL, speech_s DOUBLE DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_legs PRIMARY KEY (call_id, position), 
	CONSTRAINT fk_legs_call_id FOREIGN KEY(call_id) REFERENCES calls (call_id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "legs" VALUES('old-call',0,'old-call-leg1','out','extension','8001','','','','',1700000000.0,1700000000.25,1700000003.0,0.0,1700000033.0,'','',200,'',1099511627776,0,0,1.75,0,0.0,0.0,0.0,0.0);
INSERT INTO "legs" VALUES('old-call',1,'old-call-leg0','in','extension','8000','','','','',1700000000.0,1700000000.25,1700000003.0,0.0,1700000033.0,'','',200,'',1099511627776,0,0,1.75,0,0.0,0.0,0.0,0.0);
CREATE TABLE members (
	domain TEXT DEFAULT '' NOT NULL, 
	number TEXT NOT NULL, 
	name TEXT DEFAULT '' NOT NULL, 
	password_hash TEXT DEFAULT '' NOT NULL, 
	source TEXT DEFAULT '' NOT NULL, 
	created_utc DOUBLE DEFAULT 0 NOT NULL, 
	updated_utc DOUBLE DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_members PRIMARY KEY (domain, number)
);
CREATE TABLE pacing_log (
	campaign TEXT NOT NULL, 
	at_utc DOUBLE DEFAULT 0 NOT NULL, 
	n_dials BIGINT DEFAULT 0 NOT NULL, 
	reason TEXT DEFAULT '' NOT NULL, 
	inputs TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_pacing_log PRIMARY KEY (campaign, at_utc)
);
CREATE TABLE recordings (
	recording_id TEXT NOT NULL, 
	call_id TEXT NOT NULL, 
	path TEXT DEFAULT '' NOT NULL, 
	started_utc DOUBLE DEFAULT 0 NOT NULL, 
	ended_utc DOUBLE DEFAULT 0 NOT NULL, 
	duration_s DOUBLE DEFAULT 0 NOT NULL, 
	size BIGINT DEFAULT 0 NOT NULL, 
	sha256 TEXT DEFAULT '' NOT NULL, 
	channels BIGINT DEFAULT 0 NOT NULL, 
	encoding TEXT DEFAULT '' NOT NULL, 
	state TEXT DEFAULT '' NOT NULL, 
	caller TEXT DEFAULT '' NOT NULL, 
	dialed TEXT DEFAULT '' NOT NULL, 
	extension TEXT DEFAULT '' NOT NULL, 
	agent_id TEXT DEFAULT '' NOT NULL, 
	trunk TEXT DEFAULT '' NOT NULL, 
	pauses TEXT DEFAULT '' NOT NULL, 
	speech_s TEXT DEFAULT '' NOT NULL, 
	error TEXT DEFAULT '' NOT NULL, 
	caller_reversed TEXT DEFAULT '' NOT NULL, 
	dialed_reversed TEXT DEFAULT '' NOT NULL, 
	remark TEXT DEFAULT '' NOT NULL, 
	is_important BOOLEAN DEFAULT false NOT NULL, 
	domain TEXT DEFAULT '' NOT NULL, format TEXT DEFAULT 'wav' NOT NULL, silent_because TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_recordings PRIMARY KEY (recording_id)
);
CREATE TABLE roles (
	domain TEXT DEFAULT '' NOT NULL, 
	name TEXT NOT NULL, 
	title TEXT DEFAULT '' NOT NULL, 
	base TEXT DEFAULT '' NOT NULL, 
	permissions TEXT DEFAULT '' NOT NULL, 
	queues TEXT DEFAULT '' NOT NULL, 
	agent_groups TEXT DEFAULT '' NOT NULL, 
	source TEXT DEFAULT '' NOT NULL, 
	created_utc DOUBLE DEFAULT 0 NOT NULL, 
	updated_utc DOUBLE DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_roles PRIMARY KEY (domain, name)
);
CREATE TABLE segments (
	call_id TEXT NOT NULL, 
	position BIGINT DEFAULT 0 NOT NULL, 
	leg_id TEXT DEFAULT '' NOT NULL, 
	purpose TEXT DEFAULT '' NOT NULL, 
	started_utc DOUBLE DEFAULT 0 NOT NULL, 
	ended_utc DOUBLE DEFAULT 0 NOT NULL, 
	cause TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_segments PRIMARY KEY (call_id, position), 
	CONSTRAINT fk_segments_call_id FOREIGN KEY(call_id) REFERENCES calls (call_id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "segments" VALUES('old-call',0,'old-call-leg0','ring',1700000000.0,1700000003.0,'');
INSERT INTO "segments" VALUES('old-call',1,'old-call-leg0','talk',1700000000.0,1700000003.0,'');
CREATE TABLE settings (
	domain TEXT DEFAULT '' NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT DEFAULT '' NOT NULL, 
	source TEXT DEFAULT '' NOT NULL, 
	created_utc DOUBLE DEFAULT 0 NOT NULL, 
	updated_utc DOUBLE DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_settings PRIMARY KEY (domain, "key")
);
CREATE TABLE trunks (
	domain TEXT DEFAULT '' NOT NULL, 
	name TEXT NOT NULL, 
	host TEXT DEFAULT '' NOT NULL, 
	port BIGINT DEFAULT 0 NOT NULL, 
	transport TEXT DEFAULT '' NOT NULL, 
	proxy TEXT DEFAULT '' NOT NULL, 
	username TEXT DEFAULT '' NOT NULL, 
	secret TEXT DEFAULT '' NOT NULL, 
	is_registering BOOLEAN DEFAULT false NOT NULL, 
	register_expires_s DOUBLE DEFAULT 0 NOT NULL, 
	caller_id TEXT DEFAULT '' NOT NULL, 
	max_channels BIGINT DEFAULT 0 NOT NULL, 
	codecs TEXT DEFAULT '' NOT NULL, 
	accept_from TEXT DEFAULT '' NOT NULL, 
	is_enabled BOOLEAN DEFAULT true NOT NULL, 
	source TEXT DEFAULT '' NOT NULL, 
	created_utc DOUBLE DEFAULT 0 NOT NULL, 
	updated_utc DOUBLE DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_trunks PRIMARY KEY (domain, name)
);
CREATE TABLE voicemail_messages (
	message_id TEXT NOT NULL, 
	box TEXT NOT NULL, 
	queue TEXT DEFAULT '' NOT NULL, 
	extension TEXT DEFAULT '' NOT NULL, 
	call_id TEXT DEFAULT '' NOT NULL, 
	path TEXT DEFAULT '' NOT NULL, 
	caller TEXT DEFAULT '' NOT NULL, 
	caller_name TEXT DEFAULT '' NOT NULL, 
	access_number TEXT DEFAULT '' NOT NULL, 
	left_utc DOUBLE DEFAULT 0 NOT NULL, 
	duration_s DOUBLE DEFAULT 0 NOT NULL, 
	size BIGINT DEFAULT 0 NOT NULL, 
	state TEXT DEFAULT '' NOT NULL, 
	is_urgent BOOLEAN DEFAULT false NOT NULL, 
	heard_utc DOUBLE DEFAULT 0 NOT NULL, 
	heard_by TEXT DEFAULT '' NOT NULL, 
	called_back_utc DOUBLE DEFAULT 0 NOT NULL, 
	called_back_by TEXT DEFAULT '' NOT NULL, 
	remark TEXT DEFAULT '' NOT NULL, 
	email TEXT DEFAULT '' NOT NULL, 
	error TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_voicemail_messages PRIMARY KEY (message_id)
);
CREATE INDEX ix_calls_agent ON calls (domain, agent_id, created_utc, duration_s);
CREATE INDEX ix_calls_caller ON calls (domain, caller_reversed, created_utc, call_id);
CREATE INDEX ix_calls_cause ON calls (domain, hangup_cause, created_utc);
CREATE INDEX ix_calls_created ON calls (domain, created_utc, duration_s);
CREATE INDEX ix_calls_dialed ON calls (domain, dialed_reversed, created_utc, call_id);
CREATE INDEX ix_calls_extension ON calls (domain, extension, created_utc, duration_s);
CREATE INDEX ix_calls_trunk ON calls (domain, trunk, created_utc, duration_s);
CREATE INDEX ix_recordings_agent ON recordings (domain, agent_id, started_utc, duration_s);
CREATE INDEX ix_recordings_call ON recordings (call_id);
CREATE INDEX ix_recordings_caller ON recordings (domain, caller_reversed, started_utc, recording_id);
CREATE INDEX ix_recordings_dialed ON recordings (domain, dialed_reversed, started_utc, recording_id);
CREATE INDEX ix_recordings_extension ON recordings (domain, extension, started_utc, duration_s);
CREATE INDEX ix_recordings_important ON recordings (domain, is_important, started_utc);
CREATE INDEX ix_recordings_started ON recordings (domain, started_utc, duration_s);
CREATE INDEX ix_recordings_trunk ON recordings (domain, trunk, started_utc, duration_s);
CREATE INDEX ix_recordings_unfinished ON recordings (started_utc) WHERE state IN ('recording', 'encoding');
CREATE INDEX ix_audit_log_at ON audit_log (at_utc);
CREATE INDEX ix_event_log_at ON event_log (at_utc);
CREATE INDEX ix_event_log_call ON event_log (call_id, seq);
CREATE INDEX ix_voicemail_messages_box ON voicemail_messages (box, left_utc);
CREATE INDEX ix_voicemail_messages_left ON voicemail_messages (left_utc, message_id);
CREATE INDEX ix_voicemail_messages_live ON voicemail_messages (left_utc) WHERE state IN ('recording', 'new', 'heard');
CREATE INDEX ix_campaign_records_counts ON campaign_records (campaign, status, owner, n_attempts, is_answered, is_connected);
CREATE INDEX ix_campaign_records_customer ON campaign_records (customer_id);
CREATE INDEX ix_campaign_records_due ON campaign_records (campaign, status, urgency, next_utc, record_id) WHERE status IN ('new', 'retry_wait', 'callback');
CREATE INDEX ix_campaign_records_list ON campaign_records (campaign, list_name);
CREATE INDEX ix_campaign_records_next ON campaign_records (campaign, next_utc) WHERE status IN ('new', 'retry_wait', 'callback');
CREATE INDEX ix_campaign_records_owner ON campaign_records (owner, record_id) WHERE owner != '';
CREATE INDEX ix_campaign_records_page ON campaign_records (campaign, record_id);
CREATE INDEX ix_campaign_numbers_number ON campaign_numbers (number_reversed, campaign);
CREATE INDEX ix_attempts_agent ON attempts (agent_id, started_utc);
CREATE INDEX ix_attempts_campaign ON attempts (campaign, started_utc);
CREATE INDEX ix_attempts_number ON attempts (number_reversed, started_utc);
CREATE INDEX ix_attempts_open ON attempts (started_utc) WHERE ended_utc = 0;
CREATE INDEX ix_attempts_record ON attempts (record_id, started_utc);
CREATE INDEX ix_attempts_started ON attempts (started_utc, attempt_id);
CREATE INDEX ix_dnc_expires ON dnc (expires_utc) WHERE expires_utc > 0;
CREATE INDEX ix_customers_owner ON customers (owner, customer_id);
CREATE INDEX ix_customer_numbers_number ON customer_numbers (number_reversed);
CREATE INDEX ix_appointments_agent ON appointments (agent_id, at_utc);
CREATE INDEX ix_appointments_record ON appointments (record_id);
CREATE INDEX ix_appointments_state ON appointments (state, at_utc);
CREATE INDEX ix_pacing_log_at ON pacing_log (at_utc);
COMMIT;
