BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0011');
CREATE TABLE api_keys (
	name VARCHAR(64) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	prefix VARCHAR(16) NOT NULL, 
	scopes VARCHAR(64) NOT NULL, 
	created_at BIGINT NOT NULL, 
	expires_at BIGINT, 
	last_used_at BIGINT, patterns TEXT, 
	PRIMARY KEY (name), 
	UNIQUE (digest)
);
INSERT INTO "api_keys" VALUES('ci','e55a16a14ea7dfb6cb44b565884a0d3d624ac04b1fb386f75d6428088774fb7a','bsb_iDNr','read report',1795436400000000,NULL,1795436400000000,NULL);
CREATE TABLE checks (
	subject_id INTEGER NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	prefix VARCHAR(8) NOT NULL, 
	slug VARCHAR(100), 
	every_seconds INTEGER NOT NULL, 
	grace_seconds INTEGER NOT NULL, 
	since BIGINT NOT NULL, 
	PRIMARY KEY (subject_id), 
	FOREIGN KEY(subject_id) REFERENCES subjects (id) ON DELETE CASCADE, 
	UNIQUE (digest)
);
INSERT INTO "checks" VALUES(1,'4ed7230b2150e014307de296f0f9bbcf790054fa9435a2bea7cc11a0d279b0fd','a1679109',NULL,86400,7200,1795436400000000);
CREATE TABLE feed (
	id INTEGER NOT NULL, 
	audience VARCHAR(8) NOT NULL, 
	message_id VARCHAR(36) NOT NULL, 
	message TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE identity (
	id INTEGER NOT NULL, 
	cache_identity VARCHAR(32) NOT NULL, 
	backed_up_at BIGINT, 
	PRIMARY KEY (id)
);
INSERT INTO "identity" VALUES(1,'af244917a6891991bd7b7d60523faefa',NULL);
CREATE TABLE login_attempts (
	id INTEGER NOT NULL, 
	address VARCHAR(64) NOT NULL, 
	at BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE logins (
	digest VARCHAR(64) NOT NULL, 
	expires_at BIGINT NOT NULL, 
	PRIMARY KEY (digest)
);
CREATE TABLE outbox (
	id INTEGER NOT NULL, 
	channel VARCHAR(32) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	message_id VARCHAR(36) NOT NULL, 
	message TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	attempts INTEGER NOT NULL, 
	next_at BIGINT NOT NULL, 
	failure VARCHAR(32), 
	given_up_at BIGINT, 
	PRIMARY KEY (id)
);
CREATE TABLE private_tokens (
	name VARCHAR(64) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	prefix VARCHAR(16) NOT NULL, 
	patterns TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	last_used_at BIGINT, 
	PRIMARY KEY (name), 
	UNIQUE (digest)
);
INSERT INTO "private_tokens" VALUES('readme','07cf01bfb646a8215838a605b2265363ad580462b0130455f69b471b7ccdc9fa','bst_v0Bp','["GitLab/*/*"]',1795436400000000,1795436400000000);
CREATE TABLE runs (
	id INTEGER NOT NULL, 
	subject_id INTEGER NOT NULL, 
	started_at BIGINT NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	finished_at BIGINT, 
	size_bytes BIGINT, 
	next_run_at BIGINT, 
	stale_after BIGINT, 
	url TEXT, 
	reason VARCHAR(16), run_id VARCHAR(36), sequence BIGINT DEFAULT '0' NOT NULL, is_start_reported BOOLEAN DEFAULT 0 NOT NULL, happened_at BIGINT, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_runs_start UNIQUE (subject_id, started_at), 
	FOREIGN KEY(subject_id) REFERENCES subjects (id) ON DELETE CASCADE
);
INSERT INTO "runs" VALUES(1,1,1795435200000000,'succeeded',1795435200000000,12345,NULL,NULL,'https://ci.example/1',NULL,NULL,1,0,1795435200000000);
INSERT INTO "runs" VALUES(2,1,1795435800000000,'failed',1795435800000000,NULL,NULL,NULL,NULL,'storage','6f1c1f0e-0b8e-4b0c-9b0a-1d1f4f0f1a11',2,0,1795435800000000);
INSERT INTO "runs" VALUES(3,2,1795435800000000,'succeeded',1795435800000000,NULL,NULL,NULL,NULL,NULL,NULL,1,0,1795435800000000);
INSERT INTO "runs" VALUES(4,3,1795435800000000,'succeeded',1795435800000000,NULL,1795522200000000,NULL,NULL,NULL,NULL,1,0,1795435800000000);
INSERT INTO "runs" VALUES(5,4,1795435800000000,'succeeded',1795435800000000,NULL,NULL,NULL,NULL,NULL,NULL,1,0,1795435800000000);
INSERT INTO "runs" VALUES(6,3,1795436400000000,'inProgress',NULL,NULL,NULL,NULL,NULL,NULL,NULL,2,0,1795436400000000);
INSERT INTO "runs" VALUES(7,2,1795436400000000,'succeeded',1795436400000000,NULL,NULL,NULL,NULL,NULL,NULL,2,0,1795436400000000);
CREATE TABLE subject_paths (
	subject_id INTEGER NOT NULL, 
	path TEXT NOT NULL, 
	short_path TEXT NOT NULL, 
	PRIMARY KEY (subject_id), 
	FOREIGN KEY(subject_id) REFERENCES subjects (id) ON DELETE CASCADE
);
INSERT INTO "subject_paths" VALUES(1,'github/acme/repository/web','github/acme/web');
INSERT INTO "subject_paths" VALUES(2,'gitlab/group/sub/repository/ünïcode ''quoted'' \ name','gitlab/group/sub/ünïcode ''quoted'' \ name');
INSERT INTO "subject_paths" VALUES(3,'azuredevops/contoso/database/shop/orders','azuredevops/contoso/shop/orders');
INSERT INTO "subject_paths" VALUES(4,'github/acme/repository/gone','github/acme/gone');
CREATE TABLE subjects (
	id INTEGER NOT NULL, 
	platform_key VARCHAR(64) NOT NULL, 
	account_key VARCHAR(512) NOT NULL, 
	type_key VARCHAR(64) NOT NULL, 
	name_key TEXT NOT NULL, 
	platform VARCHAR(64) NOT NULL, 
	account VARCHAR(255) NOT NULL, 
	type VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	started_at BIGINT, 
	finished_at BIGINT, 
	last_success_at BIGINT, 
	last_finished VARCHAR(16), 
	next_run_at BIGINT, 
	stale_after BIGINT, 
	deleted_at BIGINT, 
	size_bytes BIGINT, 
	url TEXT, 
	reason VARCHAR(16), 
	visibility VARCHAR(16) NOT NULL, 
	enabled BOOLEAN, 
	revision BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, due_at BIGINT, overdue_at BIGINT, deleted_sequence BIGINT, ended_at BIGINT, verification VARCHAR(16), verified_at BIGINT, verified_how VARCHAR(16), 
	PRIMARY KEY (id), 
	CONSTRAINT uq_subjects_key UNIQUE (platform_key, account_key, type_key, name_key)
);
INSERT INTO "subjects" VALUES(1,'github','acme','repository','web','GitHub','acme','Repository','web','failed',1795435800000000,1795435800000000,1795435200000000,'failed',NULL,NULL,NULL,NULL,NULL,'storage','public',NULL,1795436400000000,1795436400000000,1795522800000000,NULL,NULL,1795435800000000,NULL,NULL,NULL);
INSERT INTO "subjects" VALUES(2,'gitlab','group/sub','repository','ünïcode ''quoted'' \ name','GitLab','group/sub','Repository','Ünïcode ''quoted'' \ name','succeeded',1795436400000000,1795436400000000,1795436400000000,'succeeded',NULL,NULL,NULL,NULL,NULL,NULL,'private',NULL,1795436400000001,1795436400000000,NULL,NULL,NULL,1795436400000000,'failed',1795436340000000,NULL);
INSERT INTO "subjects" VALUES(3,'azuredevops','contoso','database','shop/orders','AzureDevOps','contoso','Database','shop/orders','inProgress',1795436400000000,NULL,1795435800000000,'succeeded',NULL,NULL,NULL,NULL,NULL,NULL,'public',NULL,1795436400000000,1795436400000000,NULL,NULL,NULL,1795435800000000,NULL,NULL,NULL);
INSERT INTO "subjects" VALUES(4,'github','acme','repository','gone','GitHub','acme','Repository','gone','deleted',1795435800000000,1795435800000000,1795435800000000,'succeeded',NULL,NULL,1795436400000000,NULL,NULL,NULL,'public',NULL,1795436400000000,1795436400000000,NULL,NULL,2,1795435800000000,NULL,NULL,NULL);
CREATE TABLE totals (
	platform_key VARCHAR(64) NOT NULL, 
	account_key VARCHAR(512) NOT NULL, 
	type_key VARCHAR(64) NOT NULL, 
	shard INTEGER NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	last_finished VARCHAR(16) NOT NULL, 
	visibility VARCHAR(16) NOT NULL, 
	verification VARCHAR(16) NOT NULL, 
	subjects BIGINT NOT NULL, 
	PRIMARY KEY (platform_key, account_key, type_key, shard, status, last_finished, visibility, verification)
);
INSERT INTO "totals" VALUES('','','',1,'succeeded','succeeded','public','',0);
INSERT INTO "totals" VALUES('','','',1,'failed','failed','public','',1);
INSERT INTO "totals" VALUES('github','acme','repository',1,'failed','failed','public','',1);
INSERT INTO "totals" VALUES('','','',2,'succeeded','succeeded','private','',0);
INSERT INTO "totals" VALUES('','','',3,'succeeded','succeeded','public','',0);
INSERT INTO "totals" VALUES('','','',4,'succeeded','succeeded','public','',0);
INSERT INTO "totals" VALUES('','','',3,'inProgress','succeeded','public','',1);
INSERT INTO "totals" VALUES('azuredevops','contoso','database',3,'inProgress','succeeded','public','',1);
INSERT INTO "totals" VALUES('','','',4,'deleted','succeeded','public','',1);
INSERT INTO "totals" VALUES('github','acme','repository',4,'deleted','succeeded','public','',1);
INSERT INTO "totals" VALUES('','','',2,'succeeded','succeeded','private','passed',0);
INSERT INTO "totals" VALUES('','','',2,'succeeded','succeeded','private','failed',1);
INSERT INTO "totals" VALUES('gitlab','group/sub','repository',2,'succeeded','succeeded','private','failed',1);
CREATE TABLE verifications (
	subject_id INTEGER NOT NULL, 
	outcome VARCHAR(16) NOT NULL, 
	sequence BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	is_time_reported BOOLEAN NOT NULL, 
	how VARCHAR(16), 
	PRIMARY KEY (subject_id, outcome), 
	FOREIGN KEY(subject_id) REFERENCES subjects (id) ON DELETE CASCADE
);
INSERT INTO "verifications" VALUES(2,'passed',1,1795436340000000,1,'restored');
INSERT INTO "verifications" VALUES(2,'failed',2,1795436340000000,1,NULL);
CREATE TABLE watched (
	digest VARCHAR(64) NOT NULL, 
	path TEXT NOT NULL, 
	is_public BOOLEAN NOT NULL, 
	condition VARCHAR(16), 
	unknown_since BIGINT, 
	changes TEXT NOT NULL, 
	is_flapping BOOLEAN NOT NULL, 
	last_run BIGINT, 
	verdict VARCHAR(16) NOT NULL, 
	PRIMARY KEY (digest)
);
CREATE TABLE watcher (
	id INTEGER NOT NULL, 
	holder VARCHAR(32) NOT NULL, 
	renewals BIGINT NOT NULL, 
	is_primed BOOLEAN NOT NULL, 
	glanced_at BIGINT, 
	PRIMARY KEY (id)
);
INSERT INTO "watcher" VALUES(1,'',0,0,NULL);
CREATE INDEX ix_subjects_account_key ON subjects (account_key);
CREATE INDEX ix_checks_slug ON checks (slug);
CREATE INDEX ix_subjects_updated ON subjects (updated_at, id);
CREATE INDEX ix_subjects_ended_at ON subjects (ended_at);
CREATE INDEX ix_logins_expires_at ON logins (expires_at);
CREATE INDEX ix_subjects_last_success ON subjects (status, last_success_at, id);
CREATE INDEX ix_subjects_overdue ON subjects (overdue_at, id, status, last_finished, visibility, verification);
CREATE INDEX ix_subjects_status ON subjects (status, last_finished, overdue_at, visibility, stale_after, verification);
CREATE INDEX ix_subjects_account_success ON subjects (platform_key, account_key, status, last_finished, last_success_at, type_key, overdue_at, stale_after, visibility, verification);
CREATE INDEX ix_subjects_stale ON subjects (stale_after, overdue_at, status, last_finished, visibility, verification) WHERE stale_after IS NOT NULL;
CREATE INDEX ix_subjects_account_stale ON subjects (platform_key, account_key, stale_after, type_key, overdue_at, status, last_finished, visibility, verification) WHERE stale_after IS NOT NULL;
CREATE INDEX ix_subjects_account_overdue ON subjects (platform_key, account_key, status, last_finished, overdue_at, type_key, stale_after, visibility, verification) WHERE overdue_at IS NOT NULL;
CREATE INDEX ix_subjects_success ON subjects (status, last_finished, last_success_at, overdue_at, stale_after, visibility, verification);
CREATE INDEX ix_subjects_verified ON subjects (verification, verified_at, status, last_finished, overdue_at, stale_after, visibility, last_success_at) WHERE verification IS NOT NULL;
CREATE INDEX ix_subjects_account_verified ON subjects (platform_key, account_key, verification, verified_at, status, last_finished, overdue_at, stale_after, visibility, last_success_at, type_key) WHERE verification IS NOT NULL;
CREATE INDEX ix_outbox_channel ON outbox (channel, given_up_at, id);
CREATE INDEX ix_feed_audience ON feed (audience, id);
COMMIT;
