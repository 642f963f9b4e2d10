import { parse } from 'yaml';

interface Step {
  readonly uses?: string;
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

/** Actions that a job with the right to write may use. None of them installs or runs what the repository depends on. */
const actions = [
  'actions/checkout',
  'actions/setup-node',
  'actions/download-artifact',
  'pypa/gh-action-pypi-publish',
];

/** Programs of the runner that such a job may start. `npm` only publishes a file, and asks for a version. */
const programs =
  /^(?:cd|echo|gh|git|grep|helm (?:package|push|registry login)|npm (?:publish \S+ .*--ignore-scripts|view)|sed|set|sha256sum|skopeo|tr|if|then|else|fi|\w+=(?:\$\(.*\)|\S*)|true|\}|\{|\[)(?:[\s;]|$)/;

/**
 * Returns what is wrong with the rights of a workflow's jobs: a job that may write or publish runs no code of the repository
 * or of its dependencies, and one that publishes runs in an environment, which the repository's owners protect.
 */
export function rightsFindings(text: string): string[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- actionlint checks the form
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
    for (const { uses, run } of job.steps ?? []) {
      if (uses !== undefined && !actions.includes(uses.split('@')[0] ?? '')) found.push(`uses ${uses}`);
      for (const command of commandsOf(run ?? '')) if (!programs.test(command)) found.push(`runs ${command}`);
    }
    return found.map((what) => `job ${name} may write (${rights.join(', ')}), and ${what}`);
  });
}

/** Without `permissions`, a job has the rights of the repository's settings, which may be all. */
function writable(permissions: unknown): string[] {
  if (permissions === undefined || permissions === 'write-all') return ['*'];
  if (typeof permissions !== 'object' || permissions === null) return [];
  return Object.entries(permissions).flatMap(([right, level]) => (level === 'write' ? [right] : []));
}

/** Returns the commands of a script: each line, the parts of a pipeline or list, and what `$(…)` contains. */
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
