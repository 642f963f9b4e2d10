import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';
import type { WorkerAttempts } from './attempts.ts';
import { KmsCodec } from './codec.ts';
import { KmsConfigurationError } from './configuration-error.ts';
import { FAILURE_MARK } from './failure-converter.ts';
import { warnOfUnsafeLogger } from './unsafe-logger.ts';

/** Options of the plugin. */
export interface KmsCodecPluginOptions {
  /**
   * Path of the failure converter, for applications that are bundled into one file. Default: this package's
   * `failure-converter`.
   */
  readonly failureConverterPath?: string | undefined;
  /**
   * Codecs whose payloads this library cannot decrypt, for example an application's earlier codec. They decode what this
   * codec leaves unchanged, and never encode, even if the data converter contains them too. The namespace's rule must not
   * refuse plaintext.
   */
  readonly readAlso?: readonly PayloadCodec[] | undefined;
  /**
   * For the first step of a move: this codec decrypts and does not encrypt. Payloads, and messages of failures, are stored as
   * they were without the plugin: the existing payload codecs encode them, or they are in plaintext. Default false.
   */
  readonly decodeOnly?: boolean | undefined;
}

/** The options that Temporal's clients, workers and replay workers have in common. */
export interface ConvertingOptions {
  readonly namespace?: string | undefined;
  readonly dataConverter?: DataConverter | undefined;
}

/** The options of a worker that concern its workflow code. */
export interface WorkerConvertingOptions extends ConvertingOptions {
  readonly workflowBundle?: { readonly code: string } | { readonly codePath: string } | undefined;
}

/**
 * Adds the codec and encrypted failure attributes to a client, a worker, a replay worker or a workflow bundle:
 * `plugins: [new KmsCodecPlugin(codec)]`, in its options or once on the connection. Existing payload codecs stay: this codec
 * is appended, so that it encrypts last and decrypts first. An existing failure converter also stays, and must encode the
 * common attributes.
 *
 * The class has the shape of Temporal's ClientPlugin, WorkerPlugin and BundlerPlugin, without a dependency on the packages
 * that define these types.
 */
export class KmsCodecPlugin {
  readonly name = 'temporal-kms.KmsCodecPlugin';
  readonly #codec: KmsCodec;
  readonly #failureConverterPath: string | undefined;
  readonly #readAlso: readonly PayloadCodec[];
  readonly #decodeOnly: boolean;

  constructor(codec: KmsCodec, options: KmsCodecPluginOptions = {}) {
    this.#codec = codec;
    this.#failureConverterPath = options.failureConverterPath;
    this.#readAlso = options.readAlso ?? [];
    this.#decodeOnly = options.decodeOnly ?? false;
  }

  configureClient<T extends ConvertingOptions>(options: T): T {
    return this.#extend(options, inNamespaceOf(options));
  }

  /** @throws KmsConfigurationError if `workflowBundle` contains no failure converter, so that Temporal would store failures in plaintext */
  configureWorker<T extends WorkerConvertingOptions>(options: T): T {
    this.#requireFailureConverter(options);
    const inNamespace = inNamespaceOf(options);
    const attempts = this.newAttempts();
    return this.#extend(options, (codec) =>
      attempts ? inNamespace(codec).forWorker(attempts) : inNamespace(codec),
    );
  }

  /** A replay worker does not name the real namespace and workflow, so the codec's namespace counts, see `forReplay`. */
  configureReplayWorker<T extends Omit<ConvertingOptions, 'namespace'>>(options: T): T {
    return this.#extend(options, (codec) => codec.forReplay());
  }

  configureBundler<T extends { readonly failureConverterPath?: string | undefined }>(options: T): T {
    return this.#withFailureConverter(options);
  }

  /** Warns once per process if the worker's log may contain plaintext. */
  async runWorker<W extends object>(worker: W, next: (worker: W) => Promise<void>): Promise<void> {
    warnOfUnsafeLogger(worker);
    await next(worker);
  }

  /** Returns the activity attempts of a worker that is created. `KmsWorkerPlugin` of worker-kit overrides it. */
  protected newAttempts(): WorkerAttempts | undefined {
    return undefined;
  }

  /** Looked up when it is needed, so that an application in one file can construct the plugin and name a path later. */
  #converterPath(): string {
    return this.#failureConverterPath ?? defaultFailureConverterPath();
  }

  /** Without encryption, failures stay as they were: their messages would only become harder to read. */
  #withFailureConverter<T extends { readonly failureConverterPath?: string | undefined }>(options: T): T {
    if (this.#decodeOnly) return options;
    return { ...options, failureConverterPath: options.failureConverterPath ?? this.#converterPath() };
  }

  /** Another failure converter, which `dataConverter` names, is not checked. */
  #requireFailureConverter({ workflowBundle, dataConverter }: WorkerConvertingOptions): void {
    if (workflowBundle === undefined || this.#decodeOnly) return;
    const own = dataConverter?.failureConverterPath;
    if (own !== undefined && own !== this.#converterPath()) return;
    const code =
      'code' in workflowBundle ? workflowBundle.code : readFileSync(workflowBundle.codePath, 'utf8');
    if (code.includes(FAILURE_MARK)) return;
    throw new KmsConfigurationError(
      'The workflow bundle contains no failure converter, so Temporal would store failure messages in plaintext. ' +
        "Build the bundle with bundleWorkflowCode({ …, failureConverterPath }), the path of '@temporal-kms/kms-codec/failure-converter'.",
    );
  }

  #extend<T extends ConvertingOptions>(options: T, adapt: (codec: KmsCodec) => KmsCodec): T {
    const { payloadCodecs = [], ...existing } = options.dataConverter ?? {};
    // The last codec decodes first. The codecs before it may decode what it leaves encrypted.
    const adaptAt = (codec: KmsCodec, index: number) =>
      index > 0 ? adapt(codec).beforeOthers() : adapt(codec);
    const codecs = this.#withOwn(payloadCodecs).map((one, index) => {
      if (one instanceof KmsCodec) return adaptAt(one, index);
      return one instanceof DecodeOnlyKmsCodec ? new DecodeOnlyKmsCodec(adaptAt(one.codec, index)) : one;
    });
    const dataConverter = this.#withFailureConverter<DataConverter>({ ...existing, payloadCodecs: codecs });
    return { ...options, dataConverter };
  }

  /**
   * Returns the codecs of a data converter with this codec, and before it those of `readAlso`, which decode after it.
   * The SDK calls a plugin twice that is on the connection and on the client. It also does so when an options object is used
   * for a second worker, because it writes the connection's plugins into that object.
   */
  #withOwn(given: readonly PayloadCodec[]): PayloadCodec[] {
    const read = new Set(given.flatMap((one) => (one instanceof DecodeOnlyCodec ? [one.codec] : [])));
    const readAlso = this.#readAlso.filter((one) => !read.has(one)).map((one) => new DecodeOnlyCodec(one));
    const codecs = given.filter((one) => !this.#readAlso.includes(one));
    const index = codecs.findIndex((one) => one instanceof KmsCodec || one instanceof DecodeOnlyKmsCodec);
    if (index >= 0) return [...codecs.slice(0, index), ...readAlso, ...codecs.slice(index)];
    return [...codecs, ...readAlso, this.#decodeOnly ? new DecodeOnlyKmsCodec(this.#codec) : this.#codec];
  }
}

/** Decodes with another codec. `encode` returns the payloads unchanged. */
class DecodeOnlyCodec<C extends PayloadCodec = PayloadCodec> implements PayloadCodec {
  readonly codec: C;

  constructor(codec: C) {
    this.codec = codec;
  }

  encode(payloads: Payload[]): Promise<Payload[]> {
    return Promise.resolve(payloads);
  }

  decode(payloads: Payload[], context?: Parameters<PayloadCodec['decode']>[1]): Promise<Payload[]> {
    return this.codec.decode(payloads, context);
  }
}

/** The plugin's codec where it only decodes. `readAlso` may contain another KmsCodec. */
class DecodeOnlyKmsCodec extends DecodeOnlyCodec<KmsCodec> {
  get attempts(): WorkerAttempts | undefined {
    return this.codec.attempts;
  }
}

/** Without a namespace Temporal uses `default`, also in its contexts. */
const inNamespaceOf = ({ namespace }: ConvertingOptions) => {
  return (codec: KmsCodec) => codec.forNamespace(namespace ?? 'default');
};

/**
 * In the repository this module is TypeScript, in the published package JavaScript: the failure converter next to it
 * has the same extension.
 * @throws KmsConfigurationError where no such file exists, because a bundler moved this module into another file
 */
function defaultFailureConverterPath(): string {
  // esbuild leaves no `url` in a CommonJS file that it makes of ES modules.
  const url: string | undefined = import.meta.url;
  if (url !== undefined) {
    const path = fileURLToPath(new URL(`./failure-converter${url.slice(url.lastIndexOf('.'))}`, url));
    if (existsSync(path)) return path;
  }
  throw new KmsConfigurationError(
    'KmsCodecPlugin cannot find its failure converter, because the application is bundled into one file. Copy ' +
      "require.resolve('@temporal-kms/kms-codec/failure-converter') to a file next to the bundle, and pass its " +
      'absolute path: new KmsCodecPlugin(codec, { failureConverterPath })',
  );
}
