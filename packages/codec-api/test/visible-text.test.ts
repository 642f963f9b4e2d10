import { describe, expect, it } from 'vitest';
import { decodeRequest, escapeInText, escapeInvisible, hasVisibleText } from '../src/index.ts';

/**
 * At least one character of each kind in Unicode, so that an implementation with a hand-made list would fail.
 */
const invisible: [what: string, text: string][] = [
  ['a line feed', '\n'],
  ['a tab', '\t'],
  ['an escape character', '\u001b'],
  ['a C1 control', '\u0085'],
  ['delete', '\u007f'],
  ['a no-break space', '\u00a0'],
  ['an ideographic space', '\u3000'],
  ['a narrow no-break space', '\u202f'],
  ['an Ogham space mark', '\u1680'],
  ['a line separator', '\u2028'],
  ['a paragraph separator', '\u2029'],
  ['a zero-width space', '\u200b'],
  ['a zero-width non-joiner', '\u200c'],
  ['a zero-width joiner', '\u200d'],
  ['a word joiner', '\u2060'],
  ['a byte order mark', '\ufeff'],
  ['a soft hyphen', '\u00ad'],
  ['a right-to-left override', '\u202e'],
  ['a first strong isolate', '\u2068'],
  ['an Arabic letter mark', '\u061c'],
  ['a deprecated format character', '\u206a'],
  ['an invisible plus', '\u2064'],
  ['a combining grapheme joiner', '\u034f'],
  ['a Hangul filler', '\u3164'],
  ['a halfwidth Hangul filler', '\uffa0'],
  ['a Khmer inherent vowel', '\u17b4'],
  ['a Mongolian vowel separator', '\u180e'],
  ['a variation selector', '\ufe0f'],
  ['an ideographic variation selector', '\u{e0100}'],
  ['tag characters', '\u{e0001}\u{e0041}\u{e007f}'],
  ['an interlinear annotation anchor', '\ufff9'],
  ['a shorthand format control', '\u{1bca0}'],
  ['a musical begin beam', '\u{1d173}'],
  ['a musical null notehead', '\u{1d159}'],
  ['a blank Braille pattern', '\u2800'],
  ['a private-use character', '\ue000'],
  ['a private-use character of a supplementary plane', '\u{f0000}'],
  ['a noncharacter', '\uffff'],
  ['a lone high surrogate', '\ud800'],
  ['a lone low surrogate', '\udc00'],
];

const given = (justification: string) => decodeRequest.safeParse({ refs: ['1:0'], justification });

describe('justification', () => {
  it.each(invisible)('rejects text that consists only of %s', (_, text) => {
    expect(given(text).success).toBe(false);
    expect(given(`${text} ${text}`).success).toBe(false);
  });

  it.each([
    ['combining marks', '\u0301\u0308\u20dd'],
    ['combining marks on spaces', ' \u0301 \u0308'],
    ['all invisible characters', invisible.map(([, text]) => text).join(' ')],
  ])('rejects text that consists only of %s', (_, text) => {
    const result = given(text);
    expect(result.error?.issues[0]?.message).toBe(
      'has no visible character: write why you need the plaintext',
    );
  });

  it.each([
    'ticket 4711',
    'x',
    '4',
    '?',
    'é',
    'e\u0301',
    'Störung',
    '障害対応',
    'تذكرة',
    'टिकट',
    '👩\u200d💻',
    '한글',
  ])('accepts %s', (text) => {
    expect(given(text).data?.justification).toBe(text);
  });

  it('trims the text, but counts the surrounding white space towards the limit of 500 characters', () => {
    expect(given(`\u000b${'x'.repeat(499)}`).data?.justification).toBe('x'.repeat(499));
    expect(given(`\u000b${'x'.repeat(500)}`).success).toBe(false);
  });
});

describe('escapeInvisible', () => {
  it.each(invisible)('writes %s as a JSON escape', (_, text) => {
    const escaped = escapeInvisible(`a${text}b`);
    expect(escaped).toMatch(/^a(?:\\u[0-9a-f]{4})+b$/);
    expect(JSON.parse(`"${escaped}"`)).toBe(`a${text}b`);
  });

  it("escapes invisible characters in JSON without changing the JSON's value", () => {
    const value = { [invisible.map(([, text]) => text).join('x')]: '\u202egnp.exe', n: [1, null] };
    const json = escapeInvisible(JSON.stringify(value));
    expect(JSON.parse(json)).toEqual(value);
    expect(json).toMatch(/^[\u0020-\u007e]*$/);
  });

  it('leaves visible text of any script unchanged', () => {
    for (const text of ['order-1 [a/b] {"c": "d"} ~', 'Störung 障害 تذكرة टिकट 😀', '']) {
      expect(escapeInvisible(text)).toBe(text);
      expect(hasVisibleText(text)).toBe(text !== '');
    }
  });
});

describe('escapeInvisible and escapeInText', () => {
  it.each([
    ['a family', '👨\u200d👩\u200d👧'],
    ['a heart on fire, with a variation selector', '❤\ufe0f\u200d🔥'],
    ['a person with a skin tone', '👩🏽\u200d💻'],
    [
      'the flag of England, which consists of tags',
      '🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}',
    ],
  ])('keep the joiners and tags of an emoji: %s', (_, text) => {
    expect(escapeInvisible(`order ${text}`)).toBe(`order ${text}`);
    expect(escapeInText(`order ${text}`)).toBe(`order ${text}`);
  });

  it('escape a joiner between characters that Unicode does not compose into an emoji', () => {
    expect(escapeInvisible('🍋\u200d🧱')).toBe('🍋\\u200d🧱');
    expect(escapeInvisible('👩\u200d💻\u200d')).toBe('👩\u200d💻\\u200d');
    expect(escapeInvisible('🏴\u{e0061}\u{e0062}\u{e007f}')).toMatch(/^🏴(?:\\u[0-9a-f]{4})+$/);
  });
});

describe('escapeInText', () => {
  it('keeps line breaks, tabs, and joiners in emoji and words', () => {
    const text = 'one\r\n\ttwo\n👩\u200d💻 ❤\ufe0f می\u200cخواهم';
    expect(escapeInText(text)).toBe(text);
  });

  it.each(invisible.filter(([, text]) => !['\n', '\t', '\u200c', '\u200d', '\ufe0f'].includes(text)))(
    'escapes %s',
    (_, text) => {
      expect(escapeInText(`a${text}b`)).toMatch(/^a(?:\\u[0-9a-f]{4})+b$/);
    },
  );

  it('escapes a carriage return within a line, because the text after it would overwrite the line', () => {
    expect(escapeInText('paid\rnot paid')).toBe('paid\\u000dnot paid');
  });

  it('escapes joiners that do not follow an emoji or a letter', () => {
    expect(escapeInText('\u200d \u200c')).toBe('\\u200d \\u200c');
  });
});
