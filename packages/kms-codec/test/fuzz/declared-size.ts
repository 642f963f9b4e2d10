/**
 * Decodes a message TIMES times. The message's zstd frame declares and contains DECLARED bytes. Prints the
 * reason codes and the growth of the peak resident set. Runs as a separate process, so that it measures only
 * its own memory. `node test/fuzz/declared-size.ts DECLARED LIMIT TIMES`
 */
import { KeyRules, KmsCodec, KmsCodecError } from '../../src/index.ts';
import { toRule } from '../support/vectors.ts';
import { serialized } from '@temporal-kms/vectors/bytes';
import { frame, zeros } from '@temporal-kms/vectors/zstd';
import { buildCorpus, READER, rules } from './corpus.ts';
import { VectorKeyService } from '../support/vector-key-service.ts';

const [declared = 0, limit = 0, times = 0] = process.argv.slice(2).map(Number);
const corpus = buildCorpus();
const codec = new KmsCodec({
  rules: new KeyRules({ [READER]: toRule(rules.strict) }),
  keyService: new VectorKeyService(corpus.kms),
  maxDecompressedBytes: limit,
});
const context = { namespace: READER };
await codec.decode([corpus.encrypt(serialized({}), false, 'warm up')], context);
const bomb = corpus.encrypt(frame({ declared, blocks: zeros(declared) }), true, 'bomb');

const before = process.memoryUsage.rss();
const outcomes = new Set<string>();
for (let time = 0; time < times; time += 1) {
  try {
    await codec.decode([bomb], context);
    outcomes.add('decrypted');
  } catch (error) {
    if (!(error instanceof KmsCodecError)) throw error;
    outcomes.add(error.code);
  }
}
// maxRSS, in KiB, is the peak since the process started, so `grownBytes` is never too small.
const grownBytes = process.resourceUsage().maxRSS * 1024 - before;
process.stdout.write(JSON.stringify({ outcomes: [...outcomes], grownBytes }));
