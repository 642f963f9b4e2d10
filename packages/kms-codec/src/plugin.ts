import { fileURLToPath } from 'node:url';
import type { ClientOptions } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { SimplePlugin } from '@temporalio/plugin';
import type { BundleOptions, ReplayWorkerOptions, WorkerOptions } from '@temporalio/worker';
import type { KmsCodec } from './codec.ts';

export interface KmsCodecPluginOptions {
  /**
   * Where the failure converter stands, for applications that are bundled into one file. Default: this package's
   * `failure-converter`.
   */
  readonly failureConverterPath?: string;
}

/**
 * Gives a client, a worker or a workflow bundle the codec and encrypted failure attributes in one line:
 * `plugins: [new KmsCodecPlugin(codec)]`. A payload codec or failure converter that is already there stays: the codec
 * is appended, so that it encrypts last and decrypts first.
 */
export class KmsCodecPlugin extends SimplePlugin {
  readonly #codec: KmsCodec;
  readonly #failureConverterPath: string;

  constructor(codec: KmsCodec, options: KmsCodecPluginOptions = {}) {
    super({ name: 'temporal-kms.KmsCodecPlugin' });
    this.#codec = codec;
    this.#failureConverterPath = options.failureConverterPath ?? defaultFailureConverterPath();
  }

  override configureClient(options: ClientOptions): ClientOptions {
    return { ...options, dataConverter: this.#extend(options.dataConverter, options.namespace) };
  }

  override configureWorker(options: WorkerOptions): WorkerOptions {
    return { ...options, dataConverter: this.#extend(options.dataConverter, options.namespace) };
  }

  override configureReplayWorker(options: ReplayWorkerOptions): ReplayWorkerOptions {
    return { ...options, dataConverter: this.#extend(options.dataConverter, undefined) };
  }

  override configureBundler(options: BundleOptions): BundleOptions {
    return { ...options, failureConverterPath: options.failureConverterPath ?? this.#failureConverterPath };
  }

  #extend(existing: DataConverter | undefined, namespace: string | undefined): DataConverter {
    const codec = namespace === undefined ? this.#codec : this.#codec.forNamespace(namespace);
    return {
      ...existing,
      payloadCodecs: [...(existing?.payloadCodecs ?? []), codec],
      failureConverterPath: existing?.failureConverterPath ?? this.#failureConverterPath,
    };
  }
}

/** In the repository the module is TypeScript, in the published package JavaScript: its neighbour has our own ending. */
function defaultFailureConverterPath(): string {
  const ending = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
  return fileURLToPath(new URL(`./failure-converter${ending}`, import.meta.url));
}
