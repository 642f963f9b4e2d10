import { Client, type Connection, type WorkflowClientInterceptor } from '@temporalio/client';
import { KmsCodecPlugin, createKmsCodec, type KmsCodec, type KmsSettings } from '@temporal-kms/kms-codec';

/** The format in which a client encrypts payloads. With `plain`, the client does not encrypt. */
export const sampleFormats = ['envelope-v2', 'envelope', 'direct', 'plain'] as const;
export type SampleFormat = (typeof sampleFormats)[number];

export interface SampleClients {
  get(format: SampleFormat, interceptor?: WorkflowClientInterceptor): Client;
  close(): Promise<void>;
}

export interface SampleClientsDeps {
  readonly connection: Connection;
  readonly namespace: string;
  readonly kms: KmsSettings;
}

/** Returns clients that share a connection, each with the codec of its format. The first use of a format creates its codec. */
export function createSampleClients({ connection, namespace, kms }: SampleClientsDeps): SampleClients {
  const codecs = new Map<SampleFormat, KmsCodec>();
  const codecOf = (format: Exclude<SampleFormat, 'plain'>) => {
    const codec = codecs.get(format) ?? createKmsCodec({ ...kms, format });
    codecs.set(format, codec);
    return codec;
  };
  return {
    get: (format, interceptor) =>
      new Client({
        connection,
        namespace,
        ...(format !== 'plain' && { plugins: [new KmsCodecPlugin(codecOf(format))] }),
        ...(interceptor && { interceptors: { workflow: [interceptor] } }),
      }),
    close: async () => {
      await Promise.all([...codecs.values()].map((codec) => codec.close()));
    },
  };
}
