/** A program that wraps and unwraps a data key, encodes with this data key, and then waits. */
import { loadKmsCodec } from '../../src/index.ts';
import { json } from './codec.ts';

const codec = loadKmsCodec();
await codec.warm('default');
const [encrypted] = await codec.encode([json('secret')], { namespace: 'default' });
process.stdout.write(`encoded ${encrypted?.data?.length} bytes\n`);
process.stdin.resume();
