/**
 * For each alert, the values over time, the last minute before the alert fires, and the minute in which it
 * fires.
 */

interface AlertCase {
  readonly name: string;
  /** The time between two values. The default is a minute. */
  readonly interval?: string;
  /** Values over time: `0x9` is ten zeros, and `1+2x9` begins with 1 and adds 2 nine times. */
  readonly series: Readonly<Record<string, string>>;
  /** For each time, all alerts that fire then. */
  readonly firing: Readonly<Record<string, readonly string[]>>;
}

export const alertCases: readonly AlertCase[] = [
  {
    name: 'Cloud KMS fails for six minutes, and recovers',
    series: { 'codec_kms_failing{job="worker",namespace="payments"}': '0x9 1x6 0x9' },
    firing: {
      '14m': [],
      '15m': ['CloudKmsFailing{job="worker",namespace="payments",severity="critical"}'],
      '19m': [],
    },
  },
  {
    name: 'a reader without keys in memory calls Cloud KMS every three minutes, and each call fails; one failed call alone is not an outage',
    series: {
      'codec_kms_failing{job="codec-server",namespace="payments"}': '0x9 1 0x9 1 0x1 1 0x1 1 0x1 1 0x9',
    },
    firing: {
      '16m': [],
      '26m': ['CloudKmsFailing{job="codec-server",namespace="payments",severity="critical"}'],
    },
  },
  {
    name: 'single errors are normal, but not errors in a third of the calls; describing keys does not count',
    series: {
      'codec_kms_calls_total{job="worker",operation="wrap",code="ok"}': '0+60x60',
      'codec_kms_calls_total{job="worker",operation="wrap",code="kms_unavailable"}': '0+3x20 60+30x40',
      'codec_kms_calls_total{job="worker",operation="describe",code="permission_denied"}': '0+60x60',
    },
    firing: { '20m': [], '45m': ['CloudKmsErrorRate{job="worker",severity="warning"}'] },
  },
  {
    name: 'one denied call, counted by a counter that existed with the value 0',
    series: {
      'codec_kms_calls_total{job="codec-server",operation="unwrap",code="permission_denied"}': '0x9 1x30',
      'codec_kms_calls_total{job="codec-server",operation="unwrap",code="ok"}': '0+60x40',
    },
    firing: {
      '9m': [],
      '11m': ['CloudKmsPermissionDenied{job="codec-server",operation="unwrap",severity="critical"}'],
    },
  },
  {
    name: 'four times as many Cloud KMS calls as in the days before',
    interval: '10m',
    series: { 'codec_kms_calls_total{job="worker",operation="unwrap",code="ok"}': '0+60x72 4320+240x12' },
    firing: { '11h': [], '13h40m': ['KmsCallsUnusual{job="worker",severity="warning"}'] },
  },
  {
    name: 'few Cloud KMS calls cause no alert, however much their number has increased',
    interval: '10m',
    series: { 'codec_kms_calls_total{job="worker",operation="unwrap",code="ok"}': '0+1x72 72+20x12' },
    firing: { '13h40m': [] },
  },
  {
    name: 'ten times as many decrypted payloads as in the days before',
    interval: '10m',
    series: {
      'codec_payloads_decrypted_total{job="codec-server",namespace="payments",format="envelope-v2"}':
        '0+600x72 43200+6000x12',
    },
    firing: {
      '11h': [],
      '13h40m': ['DecryptionUnusual{job="codec-server",namespace="payments",severity="warning"}'],
    },
  },
  {
    name: 'calls wait for Cloud KMS for six minutes',
    series: { 'codec_calls_waiting{job="worker",instance="a:9464"}': '0x4 2x6 0x5' },
    firing: { '9m': [], '10m': ['KmsCallsWaiting{job="worker",instance="a:9464",severity="warning"}'] },
  },
  {
    name: 'the keys’ remaining time falls from a day; the value 0 before the first encryption causes no alert',
    series: {
      'codec_autonomy_seconds{job="worker",instance="a:9464",namespace="payments"}': '0x4 21660-60x12',
    },
    firing: {
      '10m': [],
      '12m': ['AutonomyLow{job="worker",instance="a:9464",namespace="payments",severity="critical"}'],
    },
  },
  {
    name: 'a key that encrypts has reached its hard limit',
    series: {
      'codec_payloads_refused_total{job="worker",namespace="payments",code="data_key_exhausted"}': '0x9 1x30',
    },
    firing: { '9m': [], '11m': ['KeysExhausted{job="worker",namespace="payments",severity="critical"}'] },
  },
  {
    name: 'the primary version is older than 91 days for an hour; an older version that is not primary does not count',
    series: {
      'codec_key_version_age_seconds{instance="a:9464",key="k",version="1"}': '99999999x90',
      'codec_key_version_primary{instance="a:9464",key="k",version="1"}': '0x90',
      'codec_key_version_age_seconds{instance="a:9464",key="k",version="2"}': '7862280+60x90',
      'codec_key_version_primary{instance="a:9464",key="k",version="2"}': '1x90',
      'codec_key_rotation_period_seconds{instance="a:9464",key="k"}': '7776000x90',
    },
    firing: { '60m': [], '65m': ['KeyRotationOverdue{key="k",severity="warning"}'] },
  },
  {
    name: 'the primary version is disabled; while its state is unknown, there is no alert',
    series: {
      'codec_key_version_primary{instance="a:9464",key="k",version="2"}': '1x9 NaN NaN NaN 1x9',
      'codec_key_version_state{instance="a:9464",key="k",version="2",state="ENABLED"}': '1x9 NaN NaN NaN 0x9',
      'codec_key_version_state{instance="a:9464",key="k",version="2",state="DISABLED"}':
        '0x9 NaN NaN NaN 1x9',
    },
    firing: {
      '9m': [],
      '12m': [],
      '14m': ['PrimaryVersionNotEnabled{key="k",version="2",severity="critical"}'],
    },
  },
  {
    name: 'a version is scheduled for destruction',
    series: {
      'codec_key_version_destroy_seconds{instance="a:9464",key="k",version="1"}': 'NaN NaN NaN 2592000-60x10',
    },
    firing: { '2m': [], '4m': ['KeyVersionDestroyScheduled{key="k",version="1",severity="warning"}'] },
  },
  {
    name: 'histories need a version that was destroyed before the scan; without a readable report there is no alert',
    series: {
      'codec_scan_histories{instance="a:9464",namespace="payments",key="k",version="1",state="ENABLED"}':
        '7x9 0x9',
      'codec_scan_histories{instance="a:9464",namespace="payments",key="k",version="1",state="DESTROYED"}':
        '0x9 7x4 NaN NaN NaN NaN',
    },
    firing: {
      '9m': [],
      '11m': ['DestroyedVersionInUse{namespace="payments",key="k",version="1",severity="critical"}'],
      '17m': [],
    },
  },
  {
    name: 'a version that histories need is scheduled for destruction after the scan; versions that no history needs do not count',
    series: {
      'codec_scan_histories{instance="a:9464",namespace="payments",key="k",version="2",state="ENABLED"}':
        '3x19',
      'codec_scan_histories{instance="a:9464",namespace="payments",key="k",version="1",state="ENABLED"}':
        '0x19',
      'codec_key_version_state{instance="a:9464",key="k",version="1",state="DESTROY_SCHEDULED"}': '1x19',
      'codec_key_version_state{instance="a:9464",key="k",version="2",state="DESTROY_SCHEDULED"}': '0x9 1x9',
    },
    firing: {
      '9m': [],
      '11m': ['DestroyedVersionInUse{namespace="payments",key="k",version="2",severity="critical"}'],
    },
  },
  {
    name: 'no scan has started for eight days and an hour',
    series: { 'codec_scan_report_age_seconds{job="codec-server",instance="a:9464"}': '691140+60x90' },
    firing: { '60m': [], '65m': ['ScanReportOld{job="codec-server",severity="info"}'] },
  },
  {
    name: 'no server has a readable scan report for an hour; one server with a report is enough to prevent the alert',
    series: {
      'codec_scan_report_age_seconds{job="codec-server",instance="a:9464"}': 'NaN+0x90',
      'codec_scan_report_age_seconds{job="other",instance="b:9464"}': 'NaN+0x90',
      'codec_scan_report_age_seconds{job="other",instance="c:9464"}': '60x90',
    },
    firing: { '59m': [], '61m': ['ScanReportOld{job="codec-server",severity="info"}'] },
  },
  {
    name: 'the states of a key are unknown for an hour; one server that knows the states is enough to prevent the alert',
    series: {
      'codec_key_described{instance="a:9464",key="k"}': '0x90',
      'codec_key_described{instance="a:9464",key="l"}': '0x90',
      'codec_key_described{instance="b:9464",key="l"}': '1x90',
    },
    firing: { '59m': [], '61m': ['KeyStatesUnknown{key="k",severity="info"}'] },
  },
  {
    name: 'the store of branch keys fails for eleven minutes',
    series: { 'codec_branch_key_store_failing{job="worker",operation="load"}': '0x4 1x11 0x5' },
    firing: { '14m': [], '15m': ['BranchKeyStoreFailing{job="worker",operation="load",severity="warning"}'] },
  },
  {
    name: 'one plaintext payload',
    series: { 'codec_payloads_not_encrypted_total{job="worker",namespace="payments"}': '0x9 1x30' },
    firing: { '9m': [], '11m': ['PlaintextFound{job="worker",namespace="payments",severity="critical"}'] },
  },
  {
    name: 'refused payloads: the alert depends on the reason code; outages have separate alerts',
    series: {
      'codec_payloads_refused_total{job="worker",namespace="payments",code="integrity_failed"}': '0x9 1x30',
      'codec_payloads_refused_total{job="worker",namespace="payments",code="key_destroyed"}': '0x9 1x30',
      'codec_payloads_refused_total{job="worker",namespace="payments",code="kms_unavailable"}': '0x9 1x30',
    },
    firing: {
      '9m': [],
      '11m': [
        'PayloadsModified{job="worker",namespace="payments",code="integrity_failed",severity="critical"}',
        'PayloadsRefused{job="worker",namespace="payments",code="key_destroyed",severity="warning"}',
      ],
    },
  },
  {
    name: 'a failure is stored without its message',
    series: {
      'codec_failures_replaced_total{job="worker",namespace="payments",code="kms_unavailable"}': '0x9 1x30',
    },
    firing: {
      '9m': [],
      '11m': [
        'FailuresReplaced{job="worker",namespace="payments",code="kms_unavailable",severity="warning"}',
      ],
    },
  },
  {
    name: 'the audit cannot be written',
    series: { 'codec_audit_write_failures_total{job="codec-server",instance="a:9464"}': '0x9 1x30' },
    firing: { '9m': [], '11m': ['AuditRefused{job="codec-server",instance="a:9464",severity="critical"}'] },
  },
  {
    name: 'a few denied requests are normal, but not 100 within five minutes',
    series: {
      'codec_requests_denied_total{job="codec-server",status="403"}': '0+2x20 40+20x20',
      'codec_requests_denied_total{job="codec-server",status="401"}': '0x40',
    },
    firing: { '20m': [], '30m': ['RequestsDeniedBurst{job="codec-server",severity="warning"}'] },
  },
  {
    name: 'the first denied requests of a server are a burst',
    series: { 'codec_requests_denied_total{job="codec-server",status="401"}': '0x9 60x20' },
    firing: { '9m': [], '11m': ['RequestsDeniedBurst{job="codec-server",severity="warning"}'] },
  },
  {
    name: 'a caller without a token is at the rate limit',
    series: {
      'codec_rate_limited_total{job="codec-server",limit="unauthenticated"}': '0x9 5x30',
      'codec_rate_limited_total{job="codec-server",limit="requests"}': '0+5x40',
    },
    firing: { '9m': [], '11m': ['RequestsDeniedBurst{job="codec-server",severity="warning"}'] },
  },
  {
    name: 'a tenth of the requests to a route fail',
    series: {
      'codec_http_request_duration_seconds_count{job="codec-server",route="/decode",status="200"}': '0+90x40',
      'codec_http_request_duration_seconds_count{job="codec-server",route="/decode",status="503"}':
        '0x9 0+10x30',
    },
    firing: { '9m': [], '25m': ['CodecServerErrors{job="codec-server",route="/decode",severity="warning"}'] },
  },
  {
    name: 'a worker that does not poll',
    series: { 'codec_worker_ready{job="worker",instance="a:9464"}': '1x4 0x6 1x5' },
    firing: { '9m': [], '10m': ['WorkerNotReady{job="worker",instance="a:9464",severity="critical"}'] },
  },
  {
    name: 'a worker that fails repeatedly causes an alert, but a worker that fails once only restarts',
    series: { 'codec_worker_restarts_total{job="worker",instance="a:9464"}': '0x9 1x9 2 3 4 5x20' },
    firing: { '19m': [], '23m': ['WorkerRestarts{job="worker",instance="a:9464",severity="warning"}'] },
  },
];

export const promtoolTests = (rules: string) => ({
  rule_files: [rules],
  evaluation_interval: '1m',
  tests: alertCases.map(({ name, interval = '1m', series, firing }) => ({
    name,
    interval,
    input_series: Object.entries(series).map(([key, values]) => ({ series: key, values })),
    promql_expr_test: Object.entries(firing).map(([time, alerts]) => ({
      expr: 'ALERTS{alertstate="firing"}',
      eval_time: time,
      exp_samples: alerts.map((alert) => ({
        labels: alert.replace(/^(\w+)\{/, 'ALERTS{alertname="$1",alertstate="firing",'),
        value: 1,
      })),
    })),
  })),
});
