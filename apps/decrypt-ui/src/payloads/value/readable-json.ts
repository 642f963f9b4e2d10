import { hasMembers, MAX_DEPTH, membersIn, TextBlock } from './json-text.ts';
import { type JsonValue, parseJson } from './payload-value.ts';

/** Maximum length of JSON whose strings are examined, in characters. Longer JSON is shown unchanged. */
const MAX_SEARCHED = 200_000;
/** Matches JSON in which a string contains a line break or is itself JSON. */
const hint = /\\n|"\s*[[{]/;

/**
 * Cached results, so that the same objects are returned and `JsonFolds` can identify them. Each result is
 * cached as long as its payload exists.
 */
const made = new WeakMap<JsonValue, unknown>();

/**
 * Returns the parsed JSON, in which objects and arrays replace strings that contain JSON, and `TextBlock`s
 * replace multi-line strings. Returns the value itself if none of its strings needs to be replaced.
 */
export function readableJson(json: JsonValue): unknown {
  const { value, text } = json;
  if (text.length > MAX_SEARCHED || !hint.test(text)) return value;
  if (!made.has(json)) made.set(json, readable(value, 0));
  return made.get(json);
}

function readable(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return readableText(value, depth);
  if (!hasMembers(value) || depth > MAX_DEPTH) return value;
  if (Array.isArray(value)) {
    const items = value.map((item) => readable(item, depth + 1));
    return items.some((item, index) => item !== value[index]) ? items : value;
  }
  const members = Object.entries(value).map(
    ([name, member]) => [name, member, readable(member, depth + 1)] as const,
  );
  return members.some(([, before, after]) => before !== after)
    ? Object.fromEntries(members.map(([name, , after]) => [name, after]))
    : value;
}

function readableText(text: string, depth: number): unknown {
  const inner = /^\s*(?:\{.*\}|\[.*\])\s*$/s.test(text) ? innerJson(text) : undefined;
  if (inner !== undefined) return readable(inner, depth + 1);
  return text.trim().includes('\n') ? new TextBlock(text) : text;
}

function innerJson(text: string): unknown {
  try {
    const inner = parseJson(text);
    return hasMembers(inner) && membersIn(inner) > 0 ? inner : undefined;
  } catch {
    return undefined;
  }
}
