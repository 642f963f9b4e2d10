import { KmsCodecError } from '../../src/index.ts';

/** Returns `accepted`, or the reason code of the KmsCodecError. @throws any other error */
export async function outcomeOf(run: () => unknown): Promise<string> {
  try {
    await run();
    return 'accepted';
  } catch (error) {
    if (error instanceof KmsCodecError) return error.code;
    throw error;
  }
}
