import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CliError } from '../../src/cli/cli-error.ts';
import { loadPatterns, masked, matchesIn } from '../../src/plaintext/patterns.ts';
import { temporaryFile } from '../support/cli.ts';

const builtIn = loadPatterns(undefined);
const found = (text: string) => matchesIn(text, builtIn).map(({ pattern, text: match }) => [pattern, match]);

describe('the built-in patterns', () => {
  it.each([
    ['email', 'ana.maria+tag@mail.example.com'],
    ['email', "o'neil@example.co.uk"],
    ['iban', 'DE89370400440532013000'],
    ['iban', 'GB29 NWBK 6016 1331 9268 19'],
    ['iban', 'MT84MALT011000012345MTLCAST001S'],
    ['payment-card', '4111111111111111'],
    ['payment-card', '5500 0000 0000 0004'],
    ['payment-card', '3782-822463-10005'],
    ['payment-card', '6011000990139424'],
    ['phone', '+4915112345678'],
    ['phone', '+1 (415) 555-2671'],
    ['us-ssn', '078-05-1120'],
  ])('find %s: %s, alone and in other text', (pattern, value) => {
    expect(found(value)).toEqual([[pattern, value]]);
    expect(found(`order ${value}, urgent`)).toEqual([[pattern, value]]);
    expect(found(`"${value}"`)).toEqual([[pattern, value]]);
    // A match for an e-mail address may include the text before the address.
    expect(found(`customer-${value}`)[0]).toEqual([
      pattern,
      pattern === 'email' ? `customer-${value}` : value,
    ]);
  });

  it.each([
    ['the identity of a worker', '4711@worker-1.example.internal'],
    ['an IBAN with a wrong check digit', 'DE89370400440532013001'],
    ['a card number with a wrong check digit', '4111111111111112'],
    ['a card number of equal digits', '4444444444444444'],
    ['a number that begins like no card', '9111111111111111'],
    ['a run id', '0197b8a2-4111-7111-9111-111111111111'],
    ['a time', '2030-01-31T12:00:00.123456789Z'],
    ['a time with an offset', '2030-01-31T12:00:00+01:00'],
    ['a semantic version', '1.24.0+build.5'],
    ['a resource name', 'projects/acme/locations/us-east1/keyRings/r/cryptoKeys/k'],
    ['an order number', 'order-20300131-000123'],
    ['a decimal fraction', '0.4111111111111111'],
    ['an address without a domain', 'ana@localhost'],
  ])('do not find %s', (_, text) => {
    expect(found(text)).toEqual([]);
  });

  it('take linear time even on hostile input', () => {
    for (const text of ['a@', 'a.', '1 ', '+1-', 'AA00 ', `${'a'.repeat(64)}@`]) {
      // Measures CPU time, because a busy machine makes this process wait.
      const start = process.cpuUsage();
      matchesIn(text.repeat(40_000), builtIn);
      expect(process.cpuUsage(start).user / 1_000).toBeLessThan(5_000);
    }
  });
});

describe('a file with patterns', () => {
  it('adds patterns, removes built-in patterns, and lists values to ignore', async () => {
    const file = await temporaryFile(
      'patterns.yaml',
      "patterns:\n  customer: 'C-\\d{8}'\nwithout: [phone]\nallow: ['.*@example\\.com']\n...\n",
    );
    const patterns = loadPatterns(file);
    const text = 'C-12345678 +4915112345678 team@example.com ana@example.org';
    expect(matchesIn(text, patterns)).toEqual([
      { pattern: 'email', text: 'ana@example.org' },
      { pattern: 'customer', text: 'C-12345678' },
    ]);
  });

  it.each([
    ['an expression that is not valid', "patterns:\n  bad: '('\n...\n"],
    ['an unknown field', 'pattern: {}\n...\n'],
    ['an unknown name', 'without: [passport]\n...\n'],
    ['no end', "patterns:\n  a: 'b'\n"],
  ])('is refused with %s', async (_, content) => {
    const file = await temporaryFile('patterns.yaml', content);
    expect(() => loadPatterns(file)).toThrow(CliError);
  });
});

describe('masked', () => {
  it('shows at most two of a value’s characters', () => {
    expect(masked('ana@example.com')).toBe('a…m (15 characters)');
    expect(masked('secret')).toBe('s… (6 characters)');
    fc.assert(
      fc.property(fc.string({ minLength: 3, maxLength: 60, unit: 'grapheme-ascii' }), (value) => {
        const [shown] = masked(value).split(' (');
        expect(shown!.length).toBeLessThanOrEqual(3);
      }),
    );
  });
});
