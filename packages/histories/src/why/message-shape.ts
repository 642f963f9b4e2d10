/** One step in turning a message into its shape: replaces every match of `pattern`. */
interface Step {
  readonly pattern: RegExp;
  readonly by: (found: string) => string;
}

const as = (text: string) => () => text;

/** The start of the private-use area. `kept` shifts printable ASCII into this area, and `shown` shifts it back. */
const SHIFT = 0xe000;
const shifted = (text: string, by: number): string =>
  text.replaceAll(/[!-~\ue021-\ue07e]/g, (one) => String.fromCharCode(one.charCodeAt(0) + by));

/** Makes text invisible to the steps that follow. Messages contain private-use characters only in escaped form. */
const kept = (text: string): string => shifted(text, SHIFT);
const shown = (text: string): string => shifted(text, -SHIFT);

/** Matches a name such as Mira, Mira Novak, Jean-Luc or O’Brien. */
const NAME = String.raw`\p{Lu}(?:['’]\p{Lu})?[\p{Ll}'’-]{1,40}(?:(?: |(?<=-))\p{Lu}[\p{L}'’-]{0,40}){0,5}`;

/** Opening quotation marks, each with the marks that close it. */
const QUOTES = ['""', '``', '“”', '„“”', '«»', '»«', '‹›', '›‹', '「」'];
/** Between letters, these closing marks are apostrophes. */
const SINGLE_QUOTES = ["''", '‘’', '‚‘’'];

const quoted = ([open = '', ...close]: string): string =>
  String.raw`${open}[^${close.join('')}\n]{0,500}[${close.join('')}]`;
const singleQuoted = ([open = '', ...close]: string): string => {
  const end = `[${close.join('')}]`;
  const letter = String.raw`[\p{L}\d_]`;
  return String.raw`(?<!${letter})${open}(?:[^${close.join('')}\n]|(?<=${letter})${end}(?=${letter})){1,500}${end}(?!${letter})`;
};

/** The reason phrases of RFC 9110 and RFC 6585 that servers send in practice. */
const REASON_PHRASE =
  '(?:Bad Request|Unauthorized|Forbidden|Not Found|Method Not Allowed|Request Timeout|Conflict|Gone|Unprocessable|Too Many Requests|(?:Client|Server|Internal Server) Error|Not Implemented|Bad Gateway|Service Unavailable|Gateway Time-?out)';

/** The end of a number that is not part of a word, an id or a decimal number. */
const END = String.raw`(?![\w-]|[.,]\d)`;

/** The statuses in the HTTP status code registry, or that common proxies send; not other numbers, as in 250 bytes. */
const HTTP_STATUS = '(?:10[0-3]|20[0-8]|226|30[0-8]|4[0-2]\\d|43[01]|451|499|50\\d|51[01]|52\\d|530|59[89])';

/**
 * Returns a pattern for a name followed by a code. The match contains quotation marks only in pairs, because
 * the following steps would pair a single mark with the wrong one.
 */
const coded = (names: string, code: string): string =>
  String.raw`(?:(["'])(?:${names})\1|\b(?:${names}))[\s:=([]{1,4}(?:(["'])(?:${code})\2|(?:${code})${END})`;

/**
 * The steps in order. The first steps keep text that looks like a value but tells causes apart: codes from a
 * small set, and names from source code. Then, `<kind>` replaces what differs from run to run. The kinds are
 * those that Sentry replaces in messages (`sentry/grouping/parameterization.py`), plus paths, alphanumeric
 * ids, and amounts of money.
 *
 * All repetitions are bounded, so that the patterns take linear time.
 */
const steps: readonly Step[] = [
  // Some languages group digits with a no-break space, which messages contain in escaped form.
  { pattern: /\\u(?:00a0|2009|202f)/g, by: as(' ') },
  // The other patterns match only ASCII digits.
  { pattern: /(?!\d)\p{Nd}/gu, by: as('0') },

  // 503 is an outage, and 404 is an error in the data. gRPC has the statuses 0 to 16.
  {
    pattern: new RegExp(
      coded('(?:(?:http|response)[ _]?)?status(?:[ _]?code)?', String.raw`${HTTP_STATUS}|1[0-6]|\d`),
      'gi',
    ),
    by: kept,
  },
  {
    pattern: new RegExp(
      coded(String.raw`(?:https?(?:/\d(?:\.\d)?)?|response)(?:[ _]?(?:code|error))?`, HTTP_STATUS),
      'gi',
    ),
    by: kept,
  },
  { pattern: new RegExp(String.raw`\b[1-5]\d\d ${REASON_PHRASE}`, 'g'), by: kept },
  // Databases, operating systems and Oracle number their errors: 23505 is a duplicate, 40001 a conflict.
  {
    pattern: new RegExp(
      coded(
        String.raw`sql[ _]?state|errno|os error|(?:error|vendor|return|exit|exited with)[ _]?(?:code|status)`,
        String.raw`-?(?:[\dA-Z]{5}|\d{1,5})`,
      ),
      'gi',
    ),
    by: kept,
  },
  { pattern: /\b(?:ORA|PLS|TNS)-\d{5}\b/gi, by: kept },
  // Constants, such as 'STRIPE_KEY' or "CARD_DECLINED".
  { pattern: /(["'`])[A-Z]{1,20}(?:_[A-Z]{1,20}){1,8}\1/g, by: kept },
  // Names of variables, properties and database objects, and codes in JSON.
  {
    pattern:
      /(?<=\b(?:reading|setting|module(?: named)?|column|field|property|variable|constraint|relation|table|has no attribute|(?:keyword|positional) argument):? |"(?:code|error|status)" ?: ?)(["'`])[a-z_$][a-z_$.]{0,63}\1/gi,
    by: kept,
  },
  // The word may be a person's name, unless its form is that of an identifier: USD, user_id, shop.Order or orderId.
  {
    pattern:
      /(?<=\b(?:[Aa]ttribute|[Pp]arameter|[Aa]rgument):? |"(?:[Rr]eason|[Tt]ype)" ?: ?)(["'`])(?=[A-Z]{1,64}\1|[a-z]{1,63}[A-Z]|[A-Za-z$]{0,63}[_.]{1,9}[A-Za-z])[A-Za-z_$][A-Za-z_$.]{0,63}\1/g,
    by: kept,
  },

  // The longest kinds come first, because quoted text and URLs can contain all other kinds.
  {
    pattern: new RegExp([...QUOTES.map(quoted), ...SINGLE_QUOTES.map(singleQuoted)].join('|'), 'gu'),
    by: as('<quoted>'),
  },
  // The letters are Latin, because Chinese and Japanese put no space between an address and a word.
  {
    pattern: /[\p{sc=Latin}\d_.+%-]{1,64}@[\p{sc=Latin}\d-]{1,63}(?:\.[\p{sc=Latin}\d-]{1,63}){1,8}/gu,
    by: as('<email>'),
  },
  { pattern: /\b[a-z][a-z\d+.-]{1,20}:\/\/[^\s"'<>)]{1,2000}/gi, by: as('<url>') },
  {
    pattern: new RegExp(
      String.raw`(?<=<url>:? (?:returned|responded with|answered with|failed with):? )[1-5]\d\d${END}`,
      'g',
    ),
    by: kept,
  },
  { pattern: /\b[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}\b/gi, by: as('<uuid>') },
  // IPv6 with :: or with all groups, in brackets before a port, with a zone, or with IPv4 at the end; also
  // MAC addresses. Requires a digit, to exclude names in C++ and Ruby (std::bad).
  {
    pattern:
      /(?<![\w:.])\[?(?=[a-f:.]{0,40}\d)(?:(?:[\da-f]{1,4}(?::[\da-f]{1,4}){0,6})?::(?::?[\da-f]{1,5}(?:[:.][\da-f]{1,5}){0,8})?|(?:[\da-f]{1,4}:){5,7}[\da-f]{1,4})(?:%[\w.-]{1,20})?(?![\w:])(?:\](?::\d{1,5})?)?/gi,
    by: as('<address>'),
  },
  // The pattern for addresses precedes that for times, because the end of 10.0.0.10:53 looks like a time.
  { pattern: /\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b/g, by: as('<address>') },
  {
    pattern:
      /\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?|\b\d{1,2}:\d\d(?::\d\d(?:\.\d{1,9})?)?\b/g,
    by: as('<time>'),
  },
  // Matches only lower case, to keep the class in java.lang.IllegalStateException, and requires a letter, to
  // exclude 1.2.3.
  {
    pattern:
      /\b(?=[\d.-]{0,64}[a-z])[a-z\d-]{1,63}(?:(?:\.[a-z\d-]{1,63}){1,8}:\d{1,5}|(?:\.[a-z\d-]{1,63}){2,8})(?![\w.])/g,
    by: as('<host>'),
  },
  // The pattern for base64 precedes that for paths, because base64 may contain slashes. Base64 becomes
  // `<number>`, like ids such as order-17, because an id's length and alphabet may differ from run to run.
  {
    pattern:
      /(?<![\w+/=.-])(?!\/)(?=[\w+/-]{0,64}\d)(?=[\w+/-]{0,64}[A-Z])(?=[\w+/-]{0,64}[a-z])[\w+/-]{20,2000}={0,2}(?![\w+/=-])/g,
    by: as('<number>'),
  },
  { pattern: /(?:\b[a-z]:)?(?:[\\/][\w.@~+-]{1,255}){2,64}[\\/]?/gi, by: as('<path>') },
  { pattern: /\b0x[\da-f]{1,64}\b|\b(?=[a-f]{0,63}\d)(?=\d{0,63}[a-f])[\da-f]{8,128}\b/gi, by: as('<hex>') },
  // Numbers with a sign, a currency, grouped digits, an exponent or a unit, such as -€1'234.50, 3.4E-5, 3.5s
  // and 12kg. Also words that contain a digit, including hyphens and underscores, such as order-17 and
  // PAY_4711.
  {
    pattern:
      /(?:[+−-]?\p{Sc} ?)?(?<![\w.])[+−-]?\d{1,64}(?:[.,_'’]\d{1,64}){0,32}(?:e[+-]?\d{1,3})?(?: ?(?:%|\p{Sc})|[a-z]{1,4}\b)?(?![\w-])|[\w-]{0,128}\d[\w-]{0,128}/giu,
    by: as('<number>'),
  },
  // Capitalized words after lower-case words are mostly names of people, places and products. The words of
  // `Bad Gateway` are not names, so the pattern requires a lower-case word before or after a name.
  {
    pattern: new RegExp(
      `(?:(?<=(?<!\\p{L})\\p{Ll}{1,40},? |> )${NAME}|(?<=^\\p{Lu}\\p{Ll}{1,40} )${NAME}(?= \\p{Ll}))(?![\\p{L}\\d_(.:])`,
      'gu',
    ),
    by: as('<name>'),
  },

  // Some languages group digits with a space: `1 234,50`.
  { pattern: /(?<=<number>)(?: <number>){1,100}/g, by: as('') },
  // A list of values counts as one variable, whatever its length.
  { pattern: /(?<=<\w{1,10}>)(?:\s{0,20}[,;]\s{0,20}<\w{1,10}>){1,1000}/g, by: as(', …') },
  // `1 item` and `2 items` get the same shape.
  { pattern: /(?<=<number> \p{Ll}{3,40})s\b/gu, by: as('') },
  { pattern: /\s+/g, by: as(' ') },
  { pattern: /[\ue021-\ue07e]{1,2000}/g, by: shown },
];

/** Only this many characters of a message are used. Temporal truncates activity failures to 4 KiB. */
const MAX_MESSAGE = 2_000;

/**
 * Returns the part of a message that is the same in all runs, with ids, numbers, times, addresses, UUIDs,
 * hex, paths, e-mail addresses, names and quoted text replaced by `<kind>`. Keeps status codes, error codes,
 * and names from source code.
 *
 * @example
 * messageShape("Card '4242' of order-17 was declined after 3.5s"); // "Card <quoted> of <number> was declined after <number>"
 */
export const messageShape = (message: string): string =>
  steps
    .reduce((shape, { pattern, by }) => shape.replaceAll(pattern, by), message.slice(0, MAX_MESSAGE))
    .trim();
