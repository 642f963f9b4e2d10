import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import which from 'which';
import { answers, startChild, untilReady } from './child.ts';
import { findGo } from './go.ts';
import { freePorts } from './ports.ts';
import { projectRoot } from './project.ts';
import { scaleRules } from './scaled-rules.ts';

/** Prometheus 3.16, built with Go, because no Python or npm package contains a binary. */
const VERSION = '3.16.0';
const source = (program: Program): string =>
  `github.com/prometheus/prometheus/cmd/${program}@v0.${VERSION.replace('.', '')}`;
/** Build tags that leave out the clients of cloud providers, which are most of the code. */
const TAGS = ['remove_all_sd'];

/** Returns the scrape interval, which is shorter if the rules' durations are shortened. */
const scrapeSeconds = (factor: number | undefined): number => (factor === undefined ? 2 : 1);

/**
 * The rules for production. Prometheus evaluates the rules as often as it scrapes the targets, except the
 * groups with their own `interval`.
 */
const RULES = join(projectRoot, 'deploy/helm/temporal-kms/alerts.yaml');

/** A value from an instant query, and its labels. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Prometheus {
  /** Returns the result of an instant query in PromQL. */
  query(promql: string): Promise<Sample[]>;
  /** Returns the summaries of firing alerts, by alert name. */
  alerts(): Promise<Record<string, string[]>>;
  /** Returns the health of each target, `up` or the error of its last scrape, by job. */
  targets(): Promise<Record<string, string>>;
  /** Stops the server and deletes its data. */
  close(): Promise<void>;
}

/** https://prometheus.io/docs/prometheus/latest/querying/api/ */
interface QueryResponse {
  readonly data: {
    readonly result: readonly { readonly metric: Sample['metric']; readonly value: [number, string] }[];
  };
}

interface AlertsResponse {
  readonly data: {
    readonly alerts: readonly {
      readonly labels: { readonly alertname: string };
      readonly annotations: { readonly summary: string };
      readonly state: string;
    }[];
  };
}

interface TargetsResponse {
  readonly data: {
    readonly activeTargets: readonly {
      readonly labels: { readonly job: string };
      readonly health: string;
      readonly lastError: string;
    }[];
  };
}

export interface PrometheusOptions {
  /**
   * The factor by which to divide the rules' durations (see `scaleRules`). By default, the durations are the
   * same as in production.
   */
  readonly factor?: number;
  /** `host:port` of the Alertmanager that gets the alerts. */
  readonly alertmanager?: string | undefined;
}

/**
 * Starts a Prometheus server that scrapes `/metrics` of each target every two seconds (with a factor, every
 * second) and evaluates the rules in `deploy/helm/temporal-kms/alerts.yaml`. Uses `prometheus` on the PATH,
 * or builds it with Go on first use, which takes a few minutes.
 *
 * @param targets addresses by job
 * @returns undefined, after printing a message, if neither is available
 * @throws Error if Prometheus does not start
 */
export async function startPrometheus(
  targets: Readonly<Record<string, string>>,
  { factor, alertmanager }: PrometheusOptions = {},
): Promise<Prometheus | undefined> {
  const file = await findProgram('prometheus');
  if (file === undefined) return undefined;
  const directory = await mkdtemp(join(tmpdir(), 'prometheus-'));
  const config = join(directory, 'prometheus.yml');
  const seconds = scrapeSeconds(factor);
  const rules = factor === undefined ? RULES : join(directory, 'rules.yml');
  if (factor !== undefined) await writeFile(rules, scaleRules(await readFile(RULES, 'utf8'), factor));
  // Prometheus reads YAML, and JSON is valid YAML.
  await writeFile(
    config,
    JSON.stringify({
      global: {
        scrape_interval: `${seconds}s`,
        scrape_timeout: `${seconds}s`,
        evaluation_interval: `${seconds}s`,
      },
      rule_files: [rules],
      ...(alertmanager && {
        alerting: { alertmanagers: [{ static_configs: [{ targets: [alertmanager] }] }] },
      }),
      scrape_configs: Object.entries(targets).map(([job_name, address]) => ({
        job_name,
        static_configs: [{ targets: [address] }],
      })),
    }),
  );
  const [port] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  const storage = `--storage.tsdb.path=${join(directory, 'data')}`;
  const args = [`--config.file=${config}`, storage, `--web.listen-address=${address}`, '--log.level=warn'];
  const server = await startChild(file, args, {});
  const close = async (): Promise<void> => {
    await server.stop('SIGTERM');
    await rm(directory, { recursive: true, force: true });
  };
  await untilReady('Prometheus', server, () => answers(`http://${address}/-/ready`), close);
  const get = async (path: string): Promise<string> => {
    const response = await fetch(`http://${address}/api/v1/${path}`);
    const body = await response.text();
    if (!response.ok) throw new Error(`Prometheus answered ${path} with ${response.status}: ${body}`);
    return body;
  };
  return {
    query: async (promql) => {
      const { data }: QueryResponse = JSON.parse(await get(`query?query=${encodeURIComponent(promql)}`));
      return data.result.map(({ metric, value: [, value] }) => ({ metric, value: Number(value) }));
    },
    alerts: async () => {
      const { data }: AlertsResponse = JSON.parse(await get('alerts'));
      const firing = data.alerts.filter(({ state }) => state === 'firing');
      const byName = Map.groupBy(firing, ({ labels }) => labels.alertname);
      return Object.fromEntries(
        [...byName].map(([name, found]) => [name, found.map(({ annotations }) => annotations.summary)]),
      );
    },
    targets: async () => {
      const { data }: TargetsResponse = JSON.parse(await get('targets?state=active'));
      return Object.fromEntries(
        data.activeTargets.map(({ labels, health, lastError }) => [labels.job, lastError || health]),
      );
    },
    close,
  };
}

type Program = 'prometheus' | 'promtool';

/**
 * Returns the path of a Prometheus program. Prefers the program on the PATH; otherwise builds it with Go on
 * first use, which takes a few minutes. If neither is possible, prints a message and returns undefined.
 */
export async function findProgram(program: Program): Promise<string | undefined> {
  const installed = await which(program, { nothrow: true });
  if (installed) return installed;
  const go = await findGo(`tests with ${program} are skipped`);
  return await go?.install(source(program), `${program}-${VERSION}`, TAGS);
}
