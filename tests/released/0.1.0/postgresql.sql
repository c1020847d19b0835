CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.api_keys (
    name character varying(64) NOT NULL,
    digest character varying(64) NOT NULL,
    prefix character varying(16) NOT NULL,
    scopes character varying(64) NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    last_used_at bigint,
    patterns text
);
CREATE TABLE public.checks (
    subject_id bigint NOT NULL,
    digest character varying(64) NOT NULL,
    prefix character varying(8) NOT NULL,
    slug character varying(100),
    every_seconds integer NOT NULL,
    grace_seconds integer NOT NULL,
    since bigint NOT NULL
);
CREATE TABLE public.feed (
    id bigint NOT NULL,
    audience character varying(8) NOT NULL,
    message_id character varying(36) NOT NULL,
    message text NOT NULL,
    created_at bigint NOT NULL
);
CREATE SEQUENCE public.feed_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.feed_id_seq OWNED BY public.feed.id;
CREATE TABLE public.identity (
    id integer NOT NULL,
    cache_identity character varying(32) NOT NULL,
    backed_up_at bigint
);
CREATE TABLE public.login_attempts (
    id bigint NOT NULL,
    address character varying(64) NOT NULL,
    at bigint NOT NULL
);
CREATE SEQUENCE public.login_attempts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.login_attempts_id_seq OWNED BY public.login_attempts.id;
CREATE TABLE public.logins (
    digest character varying(64) NOT NULL,
    expires_at bigint NOT NULL
);
CREATE TABLE public.outbox (
    id bigint NOT NULL,
    channel character varying(32) NOT NULL,
    digest character varying(64) NOT NULL,
    message_id character varying(36) NOT NULL,
    message text NOT NULL,
    created_at bigint NOT NULL,
    attempts integer NOT NULL,
    next_at bigint NOT NULL,
    failure character varying(32),
    given_up_at bigint
);
CREATE SEQUENCE public.outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.outbox_id_seq OWNED BY public.outbox.id;
CREATE TABLE public.private_tokens (
    name character varying(64) NOT NULL,
    digest character varying(64) NOT NULL,
    prefix character varying(16) NOT NULL,
    patterns text NOT NULL,
    created_at bigint NOT NULL,
    last_used_at bigint
);
CREATE TABLE public.runs (
    id bigint NOT NULL,
    subject_id bigint NOT NULL,
    started_at bigint NOT NULL,
    status character varying(16) NOT NULL,
    finished_at bigint,
    size_bytes bigint,
    next_run_at bigint,
    stale_after bigint,
    url text,
    reason character varying(16),
    run_id character varying(36),
    sequence bigint DEFAULT '0'::bigint NOT NULL,
    is_start_reported boolean DEFAULT false NOT NULL,
    happened_at bigint
);
CREATE SEQUENCE public.runs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.runs_id_seq OWNED BY public.runs.id;
CREATE TABLE public.subject_paths (
    subject_id bigint NOT NULL,
    path text NOT NULL,
    short_path text NOT NULL
);
CREATE TABLE public.subjects (
    id bigint NOT NULL,
    platform_key character varying(64) NOT NULL,
    account_key character varying(512) NOT NULL,
    type_key character varying(64) NOT NULL,
    name_key text NOT NULL,
    platform character varying(64) NOT NULL,
    account character varying(255) NOT NULL,
    type character varying(64) NOT NULL,
    name text NOT NULL,
    status character varying(16) NOT NULL,
    started_at bigint,
    finished_at bigint,
    last_success_at bigint,
    last_finished character varying(16),
    next_run_at bigint,
    stale_after bigint,
    deleted_at bigint,
    size_bytes bigint,
    url text,
    reason character varying(16),
    visibility character varying(16) NOT NULL,
    enabled boolean,
    revision bigint NOT NULL,
    updated_at bigint NOT NULL,
    due_at bigint,
    overdue_at bigint,
    deleted_sequence bigint,
    ended_at bigint,
    verification character varying(16),
    verified_at bigint,
    verified_how character varying(16)
);
CREATE SEQUENCE public.subjects_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.subjects_id_seq OWNED BY public.subjects.id;
CREATE TABLE public.totals (
    platform_key character varying(64) NOT NULL,
    account_key character varying(512) NOT NULL,
    type_key character varying(64) NOT NULL,
    shard integer NOT NULL,
    status character varying(16) NOT NULL,
    last_finished character varying(16) NOT NULL,
    visibility character varying(16) NOT NULL,
    verification character varying(16) NOT NULL,
    subjects bigint NOT NULL
);
CREATE TABLE public.verifications (
    subject_id bigint NOT NULL,
    outcome character varying(16) NOT NULL,
    sequence bigint NOT NULL,
    at bigint NOT NULL,
    is_time_reported boolean NOT NULL,
    how character varying(16)
);
CREATE TABLE public.watched (
    digest character varying(64) NOT NULL,
    path text NOT NULL,
    is_public boolean NOT NULL,
    condition character varying(16),
    unknown_since bigint,
    changes text NOT NULL,
    is_flapping boolean NOT NULL,
    last_run bigint,
    verdict character varying(16) NOT NULL
);
CREATE TABLE public.watcher (
    id integer NOT NULL,
    holder character varying(32) NOT NULL,
    renewals bigint NOT NULL,
    is_primed boolean NOT NULL,
    glanced_at bigint
);
ALTER TABLE ONLY public.feed ALTER COLUMN id SET DEFAULT nextval('public.feed_id_seq'::regclass);
ALTER TABLE ONLY public.login_attempts ALTER COLUMN id SET DEFAULT nextval('public.login_attempts_id_seq'::regclass);
ALTER TABLE ONLY public.outbox ALTER COLUMN id SET DEFAULT nextval('public.outbox_id_seq'::regclass);
ALTER TABLE ONLY public.runs ALTER COLUMN id SET DEFAULT nextval('public.runs_id_seq'::regclass);
ALTER TABLE ONLY public.subjects ALTER COLUMN id SET DEFAULT nextval('public.subjects_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('0011');
INSERT INTO public.api_keys VALUES ('ci', '38259df8f6e2ffe48fa9160613192128d6621de329265eb93dfa2651e093b715', 'bsb_rWwK', 'read report', 1795436400000000, NULL, 1795436400000000, NULL);
INSERT INTO public.checks VALUES (1, '373346ccd0cce98e613ca1dcc2fd6ac229d5336ed70e659d7d596afb42eb5bd3', 'd1b68e63', NULL, 86400, 7200, 1795436400000000);
INSERT INTO public.identity VALUES (1, '1f59af811f10cf38831986b045447741', NULL);
INSERT INTO public.private_tokens VALUES ('readme', '2bcccfb33f93625a4057b82b5faeaa27e84826f1c350db49d13a17abdfb340d1', 'bst_P2A-', '["GitLab/*/*"]', 1795436400000000, 1795436400000000);
INSERT INTO public.runs VALUES (1, 1, 1795435200000000, 'succeeded', 1795435200000000, 12345, NULL, NULL, 'https://ci.example/1', NULL, NULL, 1, false, 1795435200000000);
INSERT INTO public.runs VALUES (2, 1, 1795435800000000, 'failed', 1795435800000000, NULL, NULL, NULL, NULL, 'storage', '6f1c1f0e-0b8e-4b0c-9b0a-1d1f4f0f1a11', 2, false, 1795435800000000);
INSERT INTO public.runs VALUES (3, 2, 1795435800000000, 'succeeded', 1795435800000000, NULL, NULL, NULL, NULL, NULL, NULL, 1, false, 1795435800000000);
INSERT INTO public.runs VALUES (4, 3, 1795435800000000, 'succeeded', 1795435800000000, NULL, 1795522200000000, NULL, NULL, NULL, NULL, 1, false, 1795435800000000);
INSERT INTO public.runs VALUES (5, 4, 1795435800000000, 'succeeded', 1795435800000000, NULL, NULL, NULL, NULL, NULL, NULL, 1, false, 1795435800000000);
INSERT INTO public.runs VALUES (6, 3, 1795436400000000, 'inProgress', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 2, false, 1795436400000000);
INSERT INTO public.runs VALUES (7, 2, 1795436400000000, 'succeeded', 1795436400000000, NULL, NULL, NULL, NULL, NULL, NULL, 2, false, 1795436400000000);
INSERT INTO public.subject_paths VALUES (1, 'github/acme/repository/web', 'github/acme/web');
INSERT INTO public.subject_paths VALUES (2, 'gitlab/group/sub/repository/ünïcode ''quoted'' \ name', 'gitlab/group/sub/ünïcode ''quoted'' \ name');
INSERT INTO public.subject_paths VALUES (3, 'azuredevops/contoso/database/shop/orders', 'azuredevops/contoso/shop/orders');
INSERT INTO public.subject_paths VALUES (4, 'github/acme/repository/gone', 'github/acme/gone');
INSERT INTO public.subjects VALUES (3, 'azuredevops', 'contoso', 'database', 'shop/orders', 'AzureDevOps', 'contoso', 'Database', 'shop/orders', 'inProgress', 1795436400000000, NULL, 1795435800000000, 'succeeded', NULL, NULL, NULL, NULL, NULL, NULL, 'public', NULL, 1795436400000000, 1795436400000000, NULL, NULL, NULL, 1795435800000000, NULL, NULL, NULL);
INSERT INTO public.subjects VALUES (4, 'github', 'acme', 'repository', 'gone', 'GitHub', 'acme', 'Repository', 'gone', 'deleted', 1795435800000000, 1795435800000000, 1795435800000000, 'succeeded', NULL, NULL, 1795436400000000, NULL, NULL, NULL, 'public', NULL, 1795436400000000, 1795436400000000, NULL, NULL, 2, 1795435800000000, NULL, NULL, NULL);
INSERT INTO public.subjects VALUES (2, 'gitlab', 'group/sub', 'repository', 'ünïcode ''quoted'' \ name', 'GitLab', 'group/sub', 'Repository', 'Ünïcode ''quoted'' \ name', 'succeeded', 1795436400000000, 1795436400000000, 1795436400000000, 'succeeded', NULL, NULL, NULL, NULL, NULL, NULL, 'private', NULL, 1795436400000001, 1795436400000000, NULL, NULL, NULL, 1795436400000000, 'failed', 1795436340000000, NULL);
INSERT INTO public.subjects VALUES (1, 'github', 'acme', 'repository', 'web', 'GitHub', 'acme', 'Repository', 'web', 'failed', 1795435800000000, 1795435800000000, 1795435200000000, 'failed', NULL, NULL, NULL, NULL, NULL, 'storage', 'public', NULL, 1795436400000000, 1795436400000000, 1795522800000000, NULL, NULL, 1795435800000000, NULL, NULL, NULL);
INSERT INTO public.totals VALUES ('', '', '', 1, 'failed', 'failed', 'public', '', 1);
INSERT INTO public.totals VALUES ('', '', '', 1, 'succeeded', 'succeeded', 'public', '', 0);
INSERT INTO public.totals VALUES ('github', 'acme', 'repository', 1, 'failed', 'failed', 'public', '', 1);
INSERT INTO public.totals VALUES ('', '', '', 3, 'inProgress', 'succeeded', 'public', '', 1);
INSERT INTO public.totals VALUES ('', '', '', 3, 'succeeded', 'succeeded', 'public', '', 0);
INSERT INTO public.totals VALUES ('azuredevops', 'contoso', 'database', 3, 'inProgress', 'succeeded', 'public', '', 1);
INSERT INTO public.totals VALUES ('', '', '', 4, 'deleted', 'succeeded', 'public', '', 1);
INSERT INTO public.totals VALUES ('', '', '', 4, 'succeeded', 'succeeded', 'public', '', 0);
INSERT INTO public.totals VALUES ('github', 'acme', 'repository', 4, 'deleted', 'succeeded', 'public', '', 1);
INSERT INTO public.totals VALUES ('', '', '', 2, 'succeeded', 'succeeded', 'private', '', 0);
INSERT INTO public.totals VALUES ('', '', '', 2, 'succeeded', 'succeeded', 'private', 'failed', 1);
INSERT INTO public.totals VALUES ('', '', '', 2, 'succeeded', 'succeeded', 'private', 'passed', 0);
INSERT INTO public.totals VALUES ('gitlab', 'group/sub', 'repository', 2, 'succeeded', 'succeeded', 'private', 'failed', 1);
INSERT INTO public.verifications VALUES (2, 'passed', 1, 1795436340000000, true, 'restored');
INSERT INTO public.verifications VALUES (2, 'failed', 2, 1795436340000000, true, NULL);
INSERT INTO public.watcher VALUES (1, '', 0, false, NULL);
SELECT pg_catalog.setval('public.feed_id_seq', 1, false);
SELECT pg_catalog.setval('public.login_attempts_id_seq', 1, false);
SELECT pg_catalog.setval('public.outbox_id_seq', 1, false);
SELECT pg_catalog.setval('public.runs_id_seq', 7, true);
SELECT pg_catalog.setval('public.subjects_id_seq', 4, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_digest_key UNIQUE (digest);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.checks
    ADD CONSTRAINT checks_digest_key UNIQUE (digest);
ALTER TABLE ONLY public.checks
    ADD CONSTRAINT checks_pkey PRIMARY KEY (subject_id);
ALTER TABLE ONLY public.feed
    ADD CONSTRAINT feed_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.identity
    ADD CONSTRAINT identity_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.login_attempts
    ADD CONSTRAINT login_attempts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.logins
    ADD CONSTRAINT logins_pkey PRIMARY KEY (digest);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.private_tokens
    ADD CONSTRAINT private_tokens_digest_key UNIQUE (digest);
ALTER TABLE ONLY public.private_tokens
    ADD CONSTRAINT private_tokens_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.subject_paths
    ADD CONSTRAINT subject_paths_pkey PRIMARY KEY (subject_id);
ALTER TABLE ONLY public.subjects
    ADD CONSTRAINT subjects_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.totals
    ADD CONSTRAINT totals_pkey PRIMARY KEY (platform_key, account_key, type_key, shard, status, last_finished, visibility, verification);
ALTER TABLE ONLY public.runs
    ADD CONSTRAINT uq_runs_start UNIQUE (subject_id, started_at);
ALTER TABLE ONLY public.subjects
    ADD CONSTRAINT uq_subjects_key UNIQUE (platform_key, account_key, type_key, name_key);
ALTER TABLE ONLY public.verifications
    ADD CONSTRAINT verifications_pkey PRIMARY KEY (subject_id, outcome);
ALTER TABLE ONLY public.watched
    ADD CONSTRAINT watched_pkey PRIMARY KEY (digest);
ALTER TABLE ONLY public.watcher
    ADD CONSTRAINT watcher_pkey PRIMARY KEY (id);
CREATE INDEX ix_checks_slug ON public.checks USING btree (slug);
CREATE INDEX ix_feed_audience ON public.feed USING btree (audience, id);
CREATE INDEX ix_logins_expires_at ON public.logins USING btree (expires_at);
CREATE INDEX ix_outbox_channel ON public.outbox USING btree (channel, given_up_at, id);
CREATE INDEX ix_subjects_account_key ON public.subjects USING btree (account_key);
CREATE INDEX ix_subjects_account_overdue ON public.subjects USING btree (platform_key, account_key, status, last_finished, overdue_at, type_key, stale_after, visibility, verification) WHERE (overdue_at IS NOT NULL);
CREATE INDEX ix_subjects_account_stale ON public.subjects USING btree (platform_key, account_key, stale_after, type_key, overdue_at, status, last_finished, visibility, verification) WHERE (stale_after IS NOT NULL);
CREATE INDEX ix_subjects_account_success ON public.subjects USING btree (platform_key, account_key, status, last_finished, last_success_at, type_key, overdue_at, stale_after, visibility, verification);
CREATE INDEX ix_subjects_account_verified ON public.subjects USING btree (platform_key, account_key, verification, verified_at, status, last_finished, overdue_at, stale_after, visibility, last_success_at, type_key) WHERE (verification IS NOT NULL);
CREATE INDEX ix_subjects_ended_at ON public.subjects USING btree (ended_at);
CREATE INDEX ix_subjects_last_success ON public.subjects USING btree (status, last_success_at, id);
CREATE INDEX ix_subjects_overdue ON public.subjects USING btree (overdue_at, id, status, last_finished, visibility, verification);
CREATE INDEX ix_subjects_stale ON public.subjects USING btree (stale_after, overdue_at, status, last_finished, visibility, verification) WHERE (stale_after IS NOT NULL);
CREATE INDEX ix_subjects_status ON public.subjects USING btree (status, last_finished, overdue_at, visibility, stale_after, verification);
CREATE INDEX ix_subjects_success ON public.subjects USING btree (status, last_finished, last_success_at, overdue_at, stale_after, visibility, verification);
CREATE INDEX ix_subjects_updated ON public.subjects USING btree (updated_at, id);
CREATE INDEX ix_subjects_verified ON public.subjects USING btree (verification, verified_at, status, last_finished, overdue_at, stale_after, visibility, last_success_at) WHERE (verification IS NOT NULL);
ALTER TABLE ONLY public.checks
    ADD CONSTRAINT checks_subject_id_fkey FOREIGN KEY (subject_id) REFERENCES public.subjects(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.runs
    ADD CONSTRAINT runs_subject_id_fkey FOREIGN KEY (subject_id) REFERENCES public.subjects(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.subject_paths
    ADD CONSTRAINT subject_paths_subject_id_fkey FOREIGN KEY (subject_id) REFERENCES public.subjects(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.verifications
    ADD CONSTRAINT verifications_subject_id_fkey FOREIGN KEY (subject_id) REFERENCES public.subjects(id) ON DELETE CASCADE;
