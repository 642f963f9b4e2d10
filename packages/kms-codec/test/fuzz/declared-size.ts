/**
 * A process of its own, so that nobody else's memory is measured: decodes a message whose zstd frame declares
 * `declared` bytes and holds them, as often as asked, and prints the codes and by how much its peak resident set has
 * grown. `node test/fuzz/declared-size.ts DECLARED LIMIT TIMES`
 */
import { KeyRules, KmsCodec, KmsCodecError } from '../../src/index.ts';
import { toRule } from '../support/vectors.ts';
import { serialized } from '../vectors/make/bytes.ts';
import { frame, zeros } from '../vectors/make/zstd.ts';
import { buildCorpus, READER, rules, TableKms } from './corpus.ts';

const [declared = 0, limit = 0, times = 0] = process.argv.slice(2).map(Number);
const corpus = buildCorpus();
const codec = new KmsCodec({
  rules: new KeyRules({ [READER]: toRule(rules.strict) }),
  keyService: new TableKms(corpus.kms),
  maxDecompressedBytes: limit,
});
const context = { namespace: READER };
await codec.decode([corpus.seal(serialized({}), false, 'warm up')], context);
const bomb = corpus.seal(frame({ declared, blocks: zeros(declared) }), true, 'bomb');

const before = process.memoryUsage.rss();
const outcomes = new Set<string>();
for (let time = 0; time < times; time += 1) {
  try {
    await codec.decode([bomb], context);
    outcomes.add('opened');
  } catch (error) {
    if (!(error instanceof KmsCodecError)) throw error;
    outcomes.add(error.code);
  }
}
// maxRSS is in KiB and includes what was there before: the growth is never understated.
const grownBytes = process.resourceUsage().maxRSS * 1024 - before;
process.stdout.write(JSON.stringify({ outcomes: [...outcomes], grownBytes }));
