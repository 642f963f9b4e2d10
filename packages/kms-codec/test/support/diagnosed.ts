/** A program that gets an encryption key from Cloud KMS, encrypts a payload with it, and then waits. */
import { loadKmsCodec } from '../../src/index.ts';
import { json } from './codec.ts';

const codec = loadKmsCodec({ waitMs: { other: 60_000 } });
await codec.warm('default');
const [encrypted] = await codec.encode([json('secret')], { namespace: 'default' });
process.stdout.write(`encoded ${encrypted?.data?.length} bytes\n`);
process.stdin.resume();
