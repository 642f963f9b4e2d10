import { grpc } from 'google-gax';

/**
 * Returns the options with which Google's clients connect to the KMS emulator.
 * @param address `host:port`
 */
export function emulatorOptions(address: string) {
  const url = new URL(`http://${address}`);
  return {
    apiEndpoint: url.hostname,
    port: Number(url.port),
    sslCreds: grpc.credentials.createInsecure(),
    // Without it the client calls the metadata server when it runs in Google Cloud, even with an insecure channel.
    clientOptions: { universeDomain: 'googleapis.com' },
  };
}
