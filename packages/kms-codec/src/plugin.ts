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
   * Path of the failure converter, for applications that are bundled into one file. The default is this
   * package's `failure-converter`.
   */
  readonly failureConverterPath?: string | undefined;
  /**
   * Codecs for payloads that this library cannot decrypt, for example an application's earlier codec. These
   * codecs decode payloads that this codec leaves unchanged. These codecs never encode, even if the data
   * converter also contains them. The namespace's rule must not refuse plaintext.
   */
  readonly readAlso?: readonly PayloadCodec[] | undefined;
  /**
   * If true, this codec decrypts but does not encrypt. Decryption without encryption is the first step of a
   * migration. Payloads and failure messages are stored as they would be without the plugin: encoded by the
   * existing payload codecs, or in plaintext. Default false.
   */
  readonly decodeOnly?: boolean | undefined;
}

/** The options that Temporal's clients, workers and replay workers have in common. */
export interface ConvertingOptions {
  readonly namespace?: string | undefined;
  readonly dataConverter?: DataConverter | undefined;
}

/** The worker options that concern workflow code. */
export interface WorkerConvertingOptions extends ConvertingOptions {
  readonly workflowBundle?: { readonly code: string } | { readonly codePath: string } | undefined;
}

/**
 * Adds the codec and encrypted failure attributes to a client, a worker, a replay worker or a workflow
 * bundle: `plugins: [new KmsCodecPlugin(codec)]`, in its options or once on the connection. The plugin keeps
 * existing payload codecs and appends this codec, which therefore encrypts last and decrypts first. The
 * plugin also keeps an existing failure converter, which must encode the common attributes.
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

  /**
   * @throws KmsConfigurationError if `workflowBundle` contains no failure converter, because Temporal would
   *   store failures in plaintext
   */
  configureWorker<T extends WorkerConvertingOptions>(options: T): T {
    this.#requireFailureConverter(options);
    const inNamespace = inNamespaceOf(options);
    const attempts = this.newAttempts();
    return this.#extend(options, (codec) =>
      attempts ? inNamespace(codec).forWorker(attempts) : inNamespace(codec),
    );
  }

  /**
   * A replay worker does not name the real namespace and workflow, so the codec's own namespace applies (see
   * `forReplay`).
   */
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

  /**
   * Returns an object that tracks a new worker's activity attempts. worker-kit's `KmsWorkerPlugin` overrides
   * this method.
   */
  protected newAttempts(): WorkerAttempts | undefined {
    return undefined;
  }

  /**
   * Looks up the path only when it is needed, so that an application bundled into one file can construct the
   * plugin before it names the path.
   */
  #converterPath(): string {
    return this.#failureConverterPath ?? defaultFailureConverterPath();
  }

  /**
   * With `decodeOnly`, failures stay as they are, because the codec would not encrypt them, and the converter
   * would only make their messages harder to read.
   */
  #withFailureConverter<T extends { readonly failureConverterPath?: string | undefined }>(options: T): T {
    if (this.#decodeOnly) return options;
    return { ...options, failureConverterPath: options.failureConverterPath ?? this.#converterPath() };
  }

  /**
   * Requires this package's failure converter in the bundle, unless `dataConverter` names another converter.
   */
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
    // The last codec in the list decodes first. The codecs before this codec can decode payloads that this
    // codec leaves encrypted.
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
   * Returns a data converter's codecs with this codec appended. The codecs of `readAlso` come before this
   * codec, because they decode after this codec. The method must be idempotent, because the SDK can call a
   * plugin twice. The SDK calls a plugin twice if the plugin is on both the connection and the client, or if
   * one options object is used for two workers, because the SDK writes the connection's plugins into that
   * object.
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

/**
 * The codec of a plugin with `decodeOnly`. This separate class distinguishes the codec from a KmsCodec in
 * `readAlso`.
 */
class DecodeOnlyKmsCodec extends DecodeOnlyCodec<KmsCodec> {
  get attempts(): WorkerAttempts | undefined {
    return this.codec.attempts;
  }
}

/** If no namespace is given, Temporal uses `default`, including in the contexts that it passes to codecs. */
const inNamespaceOf = ({ namespace }: ConvertingOptions) => {
  return (codec: KmsCodec) => codec.forNamespace(namespace ?? 'default');
};

/**
 * Returns the path of the failure converter next to this module. The path has the same extension as this
 * module: `.ts` in the repository, and a JavaScript extension in the published package.
 * @throws KmsConfigurationError if no such file exists, because a bundler moved this module into another file
 */
function defaultFailureConverterPath(): string {
  // `url` is undefined if esbuild bundled the application as CommonJS.
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
