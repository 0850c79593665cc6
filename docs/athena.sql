-- The archive in S3 as tables of Amazon Athena (engine version 3) in the Glue catalog. Replace
-- ${BUCKET} and ${PREFIX} by those of --archive=s3://BUCKET/PREFIX. Partitions are projected: none is
-- ever added, and a query that names dt and hour reads those objects only. Times are RFC 3339 texts;
-- from_iso8601_timestamp(time) makes them timestamps.

CREATE DATABASE IF NOT EXISTS omnidata;

-- What happened: a row per event.
CREATE EXTERNAL TABLE omnidata.events (
  id string,
  `time` string,
  kind string,
  status int,
  actor string,
  key_id string,
  user_id string,
  result_count bigint,
  trace_id string,
  schema_version int,
  truncated boolean,
  producer_time string,
  batch_id string,
  raw string
)
PARTITIONED BY (dt string, hour string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 's3://${BUCKET}/${PREFIX}/events/v1/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.dt.type' = 'date',
  'projection.dt.format' = 'yyyy-MM-dd',
  'projection.dt.range' = '2026-01-01,NOW+1DAY',
  'projection.dt.interval' = '1',
  'projection.dt.interval.unit' = 'DAYS',
  'projection.hour.type' = 'integer',
  'projection.hour.range' = '0,23',
  'projection.hour.digits' = '2',
  'storage.location.template' = 's3://${BUCKET}/${PREFIX}/events/v1/dt=${dt}/hour=${hour}/'
);

-- The texts of searches, apart from the events for a retention of their own.
CREATE EXTERNAL TABLE omnidata.searches (
  id string,
  `time` string,
  query string,
  status int,
  result_count bigint,
  actor string,
  partial boolean,
  truncated boolean,
  batch_id string
)
PARTITIONED BY (dt string, hour string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 's3://${BUCKET}/${PREFIX}/searches/v1/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.dt.type' = 'date',
  'projection.dt.format' = 'yyyy-MM-dd',
  'projection.dt.range' = '2026-01-01,NOW+1DAY',
  'projection.dt.interval' = '1',
  'projection.dt.interval.unit' = 'DAYS',
  'projection.hour.type' = 'integer',
  'projection.hour.range' = '0,23',
  'projection.hour.digits' = '2',
  'storage.location.template' = 's3://${BUCKET}/${PREFIX}/searches/v1/dt=${dt}/hour=${hour}/'
);

-- What could not be read, raw (base64), with the reason.
CREATE EXTERNAL TABLE omnidata.errors (
  batch_id string,
  position int,
  events bigint,
  hour_of_events string,
  reason string,
  received string,
  raw string
)
PARTITIONED BY (dt string, hour string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
WITH SERDEPROPERTIES ('mapping.hour_of_events' = 'hour')
LOCATION 's3://${BUCKET}/${PREFIX}/errors/v1/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.dt.type' = 'date',
  'projection.dt.format' = 'yyyy-MM-dd',
  'projection.dt.range' = '2026-01-01,NOW+1DAY',
  'projection.dt.interval' = '1',
  'projection.dt.interval.unit' = 'DAYS',
  'projection.hour.type' = 'integer',
  'projection.hour.range' = '0,23',
  'projection.hour.digits' = '2',
  'storage.location.template' = 's3://${BUCKET}/${PREFIX}/errors/v1/dt=${dt}/hour=${hour}/'
);

-- Events per kind, last hour of a day:
--   SELECT kind, count(*) FROM omnidata.events WHERE dt = '2026-11-26' AND hour = '23' GROUP BY kind;
