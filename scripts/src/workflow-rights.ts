import { parse } from 'yaml';

interface Step {
  readonly uses?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly run?: string;
}
interface Job {
  readonly permissions?: unknown;
  readonly environment?: unknown;
  readonly steps?: readonly Step[];
}
interface Workflow {
  readonly permissions?: unknown;
  readonly jobs?: Readonly<Record<string, Job>>;
}

/**
 * Actions that a job with write permission may use. None of these actions installs or runs the repository's
 * dependencies.
 */
const actions = [
  'actions/attest',
  'actions/checkout',
  'actions/setup-node',
  'actions/download-artifact',
  'github/codeql-action/init',
  'github/codeql-action/analyze',
  'github/codeql-action/upload-sarif',
  'ossf/scorecard-action',
  'pypa/gh-action-pypi-publish',
];

/**
 * Programs on the runner that a job with write permission may start. `npm` may only publish a file and show a
 * version.
 */
const programs =
  /^(?:cd|echo|gh|git|grep|helm (?:package|push|registry login)|npm (?:publish \S+ .*--ignore-scripts|view)|sed|set|sha256sum|skopeo|tr|if|then|else|fi|\w+=(?:\$\(.*\)|\S*)|true|\}|\{|\[)(?:[\s;]|$)/;

/**
 * Returns the violations of two rules for a workflow's jobs. A job that may write or publish must not run
 * code of the repository or its dependencies. A job that publishes must run in an environment, which the
 * repository's owners protect.
 */
export function rightsFindings(text: string): string[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- actionlint checks the structure
  const { permissions, jobs = {} } = parse(text) as Workflow;
  return Object.entries(jobs).flatMap(([name, job]) => {
    const rights = writable(job.permissions ?? permissions);
    if (rights.length === 0) return [];
    const found: string[] = [];
    if (
      rights.some((right) => ['*', 'id-token', 'packages'].includes(right)) &&
      job.environment === undefined
    )
      found.push('publishes without an environment');
    for (const { uses = '', with: inputs, run } of job.steps ?? []) {
      const [action = ''] = uses.split('@');
      if (action !== '' && !actions.includes(action)) found.push(`uses ${uses}`);
      // In its other modes, CodeQL builds the sources.
      if (action === 'github/codeql-action/init' && inputs?.['build-mode'] !== 'none')
        found.push('builds the sources for CodeQL');
      for (const command of commandsOf(run ?? '')) if (!programs.test(command)) found.push(`runs ${command}`);
    }
    return found.map((what) => `job ${name} may write (${rights.join(', ')}), and ${what}`);
  });
}

/**
 * Returns the actions that a workflow references by a tag or branch, which could later point to other code.
 */
export const unpinnedActions = (text: string): string[] =>
  [...text.matchAll(/\buses: *(\S+)/g)]
    .map(([, action = '']) => action)
    .filter((action) => !/^(?:\.\/.*|[^@]+@[0-9a-f]{40})$/.test(action));

/** Returns the write permissions. Without `permissions`, the repository's settings may permit everything. */
function writable(permissions: unknown): string[] {
  if (permissions === undefined || permissions === 'write-all') return ['*'];
  if (typeof permissions !== 'object' || permissions === null) return [];
  return Object.entries(permissions).flatMap(([right, level]) => (level === 'write' ? [right] : []));
}

/** Returns a script's commands: its lines, the parts of pipelines and lists, and the contents of `$(…)`. */
function commandsOf(script: string): string[] {
  const lines = script.replaceAll(/\\\n\s*/g, ' ').replaceAll(/^\s*#.*$/gm, '');
  const nested = [...lines.matchAll(/\$\(([^()]*)\)/g)].map(([, inner = '']) => inner);
  const quoted = lines.replaceAll(/"[^"\n]*"|'[^'\n]*'/g, '"x"');
  return [quoted.replaceAll(/\$\([^()]*\)/g, 'x'), ...nested]
    .flatMap((part) => part.split(/\n|&&|\|\||\||;/))
    .map((part) =>
      part
        .trim()
        .replace(/^\(+|\)+$/g, '')
        .replace(/^(?:(?:if|then|else|!)\s+)+/, ''),
    )
    .filter((part) => part !== '');
}
