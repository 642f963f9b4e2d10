import { KmsConfigurationError } from '../configuration-error.ts';
import { grpc } from 'google-gax';

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\]):\d{1,5}$/;

/**
 * Returns why a process must not use an emulator at this address, as a phrase that follows a setting's name.
 * Returns undefined if the process may use the emulator.
 */
export function emulatorProblem(
  address: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  if (!LOOPBACK.test(address) || !URL.canParse(`http://${address}`))
    return 'must be a loopback address with a port, as in 127.0.0.1:9061';
  if (env['NODE_ENV'] === 'production' && env['KMS_EMULATOR_IN_PRODUCTION'] !== '1') {
    return (
      'is refused because NODE_ENV is production and an emulator protects nothing; unset it, or set ' +
      'KMS_EMULATOR_IN_PRODUCTION=1 to try out a production build'
    );
  }
  return undefined;
}

/**
 * Returns the options with which Google's clients connect to the KMS emulator.
 * @param address `host:port`
 * @throws KmsConfigurationError if the address is not on loopback, or if this is a production environment
 */
export function emulatorOptions(address: string) {
  const problem = emulatorProblem(address);
  if (problem !== undefined) throw new KmsConfigurationError(`The address of the KMS emulator ${problem}.`);
  const url = new URL(`http://${address}`);
  return {
    apiEndpoint: url.hostname,
    port: Number(url.port),
    sslCreds: grpc.credentials.createInsecure(),
    // Without this option, the client calls the metadata server if it runs in Google Cloud, even with an
    // insecure channel.
    // Stryker disable next-line StringLiteral: an empty text also prevents the call.
    clientOptions: { universeDomain: 'googleapis.com' },
  };
}
