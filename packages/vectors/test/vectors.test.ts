import { describe, expect, it } from 'vitest';
import { hex } from '../src/bytes.ts';
import { dataOf } from '../src/derived.ts';
import { json, keysFileVectors, messageFiles, strictYamlVectors } from '../src/files.ts';
import { key } from '../src/message.ts';
import { formats, jsonSchema } from '../src/schema.ts';

describe('the vectors', () => {
  const all = messageFiles.flatMap(({ vectors }) => vectors);

  it('contain exactly the messages that their `made` fields describe', () => {
    const described = all.filter(({ made }) => made !== undefined);
    expect(described.length).toBeGreaterThan(200);
    for (const vector of described) expect(hex(dataOf(vector)), vector.name).toBe(vector.stored.data);
  });

  it('follow the published JSON Schema', () => {
    expect(json('vectors.schema.json')).toEqual(JSON.parse(JSON.stringify(jsonSchema())));
  });

  it.each(formats)('include both readable and refused messages in the format %s', (format) => {
    const refused = all.filter((vector) => vector.format === format).map((vector) => 'code' in vector.expect);
    expect(new Set(refused)).toEqual(new Set([true, false]));
  });

  it('have unique names within a file', () => {
    for (const vectors of [...messageFiles.map((file) => file.vectors), keysFileVectors, strictYamlVectors])
      expect(new Set(vectors.map(({ name }) => name)).size).toBe(vectors.length);
  });

  it('never call Cloud KMS for an unlisted key', () => {
    expect(all.filter(({ asked }) => asked.includes(key('attacker')))).toEqual([]);
  });
});
