/**
 * The imports that `oxlint.config.ts` refuses, so that imports go in only one direction
 * (docs/architecture.md).
 */

interface Pattern {
  regex: string;
  message: string;
}

const testing: Pattern = {
  regex: '^@temporal-kms/(testing|vectors)/',
  message: 'Only tests and benchmarks may import packages/testing and packages/vectors.',
};

/** Returns an override for `files` that refuses imports whose specifier matches one of the patterns. */
function restrict(files: string, ...patterns: Pattern[]) {
  return {
    files: [files],
    rules: { 'no-restricted-imports': ['error', { patterns }] satisfies ['error', object] },
  };
}

/**
 * Returns the overrides for a package whose folders may import each other in one direction only.
 *
 * @param folders - the folders of `src`, each with the folders and files of `src` that it may import
 * @param files - the files of `src` that a folder may import only if its list contains them
 */
function oneWay(path: string, folders: Record<string, string[]>, files: string[] = []) {
  const paths = [...Object.keys(folders).map((folder) => `${folder}/`), ...files.map((file) => `${file}$`)];
  return Object.entries(folders).map(([folder, allowed]) => {
    const refused = paths.filter((other) => ![folder, ...allowed].includes(other.slice(0, -1)));
    if (refused.length === 0) return restrict(`${path}/src/${folder}/**`, testing);
    const regex = `^(\\.\\./)+(${refused.join('|').replaceAll('.', '\\.')})`;
    const message = `Imports go one way: ${path}/src/${folder} may import ${allowed.join(', ') || 'no other folder'}.`;
    return restrict(`${path}/src/${folder}/**`, testing, { regex, message });
  });
}

const keys = ['crypto', 'compression', 'branch-keys', 'keys'];

const kmsCodec = [
  ...oneWay(
    'packages/kms-codec',
    {
      crypto: [],
      compression: [],
      'branch-keys': ['crypto'],
      keys: ['crypto', 'branch-keys'],
      formats: [...keys, 'codec-options.ts'],
      metrics: [...keys, 'formats', 'codec.ts'],
      config: [...keys, 'formats', 'metrics', 'codec.ts', 'codec-options.ts'],
    },
    'codec codec-options call-waits payload-cipher plan plugin attempts index testing'
      .split(' ')
      .map((file) => `${file}.ts`),
  ),
  restrict('packages/kms-codec/src/{codec,call-waits,payload-cipher,plan}.ts', testing, {
    regex: '^\\./((config|metrics)/|(plugin|index|testing)\\.ts$)',
    message: 'The codec must not import the modules that read options, export metrics or create plugins.',
  }),
];

const workerKit = oneWay(
  'packages/worker-kit',
  { attempts: [], logging: [], 'run-worker': ['attempts', 'logging', 'sdk-internals.ts', 'logging.ts'] },
  ['sdk-internals.ts', 'worker-plugin.ts', 'run-worker.ts', 'index.ts', 'logging.ts'],
);

const kmsEmulator = oneWay(
  'packages/kms-emulator',
  {
    model: [],
    crypto: [],
    conditions: ['model', 'crypto'],
    store: ['model', 'crypto'],
    service: ['model', 'crypto', 'conditions', 'store'],
    control: ['model', 'crypto', 'conditions', 'store', 'service'],
    transport: ['model', 'crypto', 'conditions', 'store', 'service'],
  },
  ['emulator.ts', 'cli.ts', 'index.ts'],
);

/** Returns an override for a folder of `why`. The override refuses specifiers of `why` that match `pattern`. */
const whyFolder = (folder: string, pattern: string) =>
  restrict(`packages/histories/src/why/${folder}/**`, testing, {
    regex: `^\\.\\./(${pattern}|\\.\\./(files|payloads|proto)/)`,
    message: 'Imports go one way: in why, facts imports nothing, and rules imports facts.',
  });

const histories = [
  ...oneWay('packages/histories', {
    json: [],
    files: ['json'],
    payloads: ['json'],
    proto: ['json', 'files', 'payloads'],
    events: ['json'],
    failures: ['json', 'events'],
    why: ['json', 'events', 'failures'],
  }),
  whyFolder('facts', '[^.]'),
  whyFolder('rules', '[^/]+\\.ts$'),
];

const codecApi = restrict(
  'packages/codec-api/src/**',
  testing,
  {
    regex: '^@temporal-kms/kms-codec$',
    message:
      'The dashboard bundles codec-api. Import kms-codec/reason-codes instead, which does not need Node.',
  },
  {
    regex: '^zod$',
    message: 'The dashboard bundles codec-api. Import zod/mini instead, which is much smaller.',
  },
);

const lowest = ['observability', 'turns'];

const codecServer = [
  ...oneWay(
    'apps/codec-server',
    {
      observability: lowest,
      turns: lowest,
      json: lowest,
      storage: [],
      access: [...lowest, 'json'],
      audit: [...lowest, 'json', 'temporal'],
      temporal: [...lowest, 'json', 'audit'],
      history: [...lowest, 'json', 'storage', 'temporal'],
      http: [...lowest, 'json', 'access', 'storage'],
      protocol: [...lowest, 'json', 'access', 'storage', 'http'],
      routes: [...lowest, 'json', 'access', 'audit', 'storage', 'temporal', 'history', 'http', 'protocol'],
      server: [...lowest, 'http'],
    },
    ['app.ts', 'main.ts', 'start-up.ts'],
  ),
  restrict('apps/codec-server/src/memory*.ts', testing, {
    regex: '^\\./[\\w-]+/',
    message: 'Every folder imports these files, so these files must not import from a folder.',
  }),
];

const sources = ['cli', 'google', 'keys', 'payload-files', 'storage', 'temporal'];
const capabilities = [
  'decrypt',
  'destroy',
  'doctor',
  'inspect',
  'objects',
  'plaintext',
  'scan-worker',
  'setup',
];

const keyAdmin = oneWay(
  'apps/key-admin',
  {
    cli: [],
    google: ['cli'],
    storage: ['cli'],
    keys: ['cli', 'google'],
    temporal: ['cli', 'google'],
    'payload-files': ['cli', 'google', 'keys', 'temporal'],
    scan: sources,
    ...Object.fromEntries(capabilities.map((capability) => [capability, [...sources, 'scan']])),
    explain: [...sources, 'decrypt'],
    commands: [...sources, 'scan', 'explain', ...capabilities],
  },
  ['main.ts', 'program.ts', 'run-cli.ts'],
);

const worker = oneWay(
  'apps/worker',
  {
    nexus: [],
    workflows: ['nexus', 'activities.ts'],
    starter: ['workflows', 'version.ts'],
    shop: ['starter', 'activities.ts', 'log.ts'],
  },
  'activities code console health log main start version worker'.split(' ').map((file) => `${file}.ts`),
);

const subjects = ['session', 'payloads', 'search', 'runs', 'schedules', 'files', 'keys', 'audit', 'shell'];
const runParts =
  'filter causes indexer run timeline history facts find frame inspector now relations why export compare page list differs'.split(
    ' ',
  );

/**
 * Returns an override for files of the dashboard. The override refuses modules that need Node, and specifiers
 * that match one of the patterns.
 */
function dashboard(files: string, ...patterns: string[]) {
  const needsNode = '^@temporal-kms/(testing|payload-storage|histories/[^efw]|node-utils/[^i])';
  const message =
    'Imports go one way: see the README of decrypt-ui. The browser cannot load modules that need Node.';
  return restrict(`apps/decrypt-ui/src/${files}`, { regex: [...patterns, needsNode].join('|'), message });
}

/** Returns a pattern for all later subjects, because a subject may import only earlier subjects. */
function after(subject: string): string {
  return `/(${subjects.slice(subjects.indexOf(subject) + 1).join('|')})/`;
}

/** Returns a pattern for this folder of `runs` and all later folders. */
function runPartsFrom(part: string): string {
  return `^(\\.\\./)+(${runParts.slice(runParts.indexOf(part)).join('|')})/`;
}

const decryptUi = [
  dashboard('{shell/**,*}'),
  restrict('apps/decrypt-ui/src/ui/**', {
    regex: `/(${subjects.join('|')})/|^@temporal-kms/`,
    message: 'ui must not import a subject: see the README of decrypt-ui.',
  }),
  ...subjects.slice(0, -1).map((subject) => dashboard(`${subject}/**`, after(subject))),
  dashboard('payloads/*', after('payloads'), '^\\./(view|failure|diff)/'),
  dashboard('payloads/value/**', after('payloads'), '^\\.\\./((reveal|view|failure|diff)/|[^/]+$)'),
  dashboard('payloads/reveal/**', after('payloads'), '^\\.\\./((view|failure|diff)/|[^/]+$)'),
  dashboard('runs/*', after('runs'), '^\\./[^/]+/'),
  dashboard('runs/events/**', after('runs'), runPartsFrom('filter'), '^react$|^zustand|^@tanstack/'),
  dashboard('runs/filter/**', after('runs'), runPartsFrom('filter')),
  dashboard('runs/causes/**', after('runs'), runPartsFrom('causes')),
  dashboard('runs/{indexer,run}/**', after('runs'), runPartsFrom('timeline')),
  dashboard('runs/timeline/**', after('runs'), runPartsFrom('history')),
  dashboard('runs/history/**', after('runs'), runPartsFrom('facts')),
  dashboard('runs/{facts,find,frame,inspector,now,relations,why}/**', after('runs'), runPartsFrom('facts')),
  dashboard('runs/{export,compare}/**', after('runs'), runPartsFrom('export')),
  dashboard('runs/{page,list,differs}/**', after('runs'), runPartsFrom('page')),
];

/** The overrides. If several overrides match a file, the last override applies. */
export const importRules = [
  restrict('**/test/**', { regex: '/bench/|\\.bench\\.ts$', message: 'Tests must not import benchmarks.' }),
  restrict('{apps,packages}/*/src/**', testing),
  ...[kmsCodec, workerKit, kmsEmulator, histories, codecApi, codecServer, keyAdmin, worker, decryptUi].flat(),
];
