import { permission, reveal } from '@temporal-kms/codec-api';
import { z } from 'zod';
import { literalText, oneOrMany, text } from './fields.ts';
import { issuer } from './issuer.ts';

const values = oneOrMany(literalText('is compared as it stands: there are no wildcards, so name each value'));
const namespace = literalText('must be a name; for all, write namespaces: "*"');
/** For the JSON Schema, which does not know the refinements. */
const atLeastOne = { minProperties: 1 };

const rule = z.strictObject({
  issuer: text,
  match: z
    .record(text, values)
    .refine((claims) => Object.keys(claims).length > 0, 'names no claim: say whom the rule is for')
    .meta(atLeastOne),
  namespaces: z.union([z.literal('*'), z.array(namespace).min(1, 'is empty')], {
    error: 'must be a list of namespaces, or "*" for all',
  }),
  permissions: z.array(permission).min(1, 'is empty'),
});

/**
 * The policy file (`POLICY_FILE`), docs/access.md. What it doesn't give is refused. `policy-file.schema.json` is this
 * schema for editors and other programs; it does not know what must fit together.
 */
export const policy = z
  .strictObject({
    issuers: z
      .record(text, issuer)
      .refine(
        (issuers) => Object.keys(issuers).length > 0,
        'names none, so no caller could sign in: add an issuer',
      )
      .meta(atLeastOne),
    rules: z.array(rule).default([]),
    /** Of namespaces that `namespaces` doesn't name. */
    reveal: reveal.default('automatic'),
    namespaces: z.record(namespace, z.strictObject({ reveal })).default({}),
    dashboard: z
      .strictObject({
        issuer: text,
        clientId: text,
        scopes: z.array(text).min(1).default(['openid', 'email']),
        resource: text.optional(),
      })
      .optional(),
  })
  .superRefine(({ issuers, rules, dashboard }, context) => {
    // Parts that are wrong by themselves are not what their types say.
    if (context.issues.length > 0) return;
    const named = new Map(Object.entries(issuers));
    const wrong = (path: (string | number)[], message: string): void =>
      context.addIssue({ path, message, code: 'custom' });

    const names = new Map<string, string>();
    for (const [name, { issuer: iss }] of named) {
      const other = names.get(iss);
      if (other !== undefined) wrong(['issuers', name], `is the same issuer as ${other}: it must stand once`);
      names.set(iss, name);
    }
    for (const [index, { issuer: name, match }] of rules.entries()) {
      const from = named.get(name);
      if (!from) wrong(['rules', index, 'issuer'], `must be one of issuers: ${[...named.keys()].join(', ')}`);
      const claim = from?.onlyByName;
      if (claim === undefined) continue;
      const emails = match[claim];
      if (!emails?.every((value) => /^[^\s@]+@[^\s@]+$/.test(value))) {
        wrong(
          ['rules', index, 'match'],
          `must name people by their e-mail addresses, in the claim ${claim}: other servers get this issuer's tokens ` +
            'too and can send them here',
        );
      }
    }
    if (dashboard && !named.has(dashboard.issuer)) {
      wrong(['dashboard', 'issuer'], `must be one of issuers: ${[...named.keys()].join(', ')}`);
    }
  })
  .meta({ title: 'Policy file of the codec server', description: 'Described in docs/access.md.' });

export type Policy = z.infer<typeof policy>;
export type Rule = Policy['rules'][number];

/** Each namespace that stands in it by name. */
export function namespacesIn({ rules, namespaces }: Policy): readonly string[] {
  const inRules = rules.flatMap((one) => (one.namespaces === '*' ? [] : one.namespaces));
  return [...new Set([...inRules, ...Object.keys(namespaces)])];
}
