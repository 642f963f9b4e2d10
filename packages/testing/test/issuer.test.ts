import { createRemoteJWKSet, jwtVerify } from 'jose';
import { expect, it, onTestFinished } from 'vitest';
import { startIssuer } from '../src/issuer.ts';

it('the issuer signs tokens that can be verified with the keys from its discovery document', async () => {
  const issuer = await startIssuer('https://codec.example.com');
  onTestFinished(() => issuer.close());
  const discovery = await fetch(`${issuer.issuer}/.well-known/openid-configuration`);
  const { jwks_uri: keys }: { jwks_uri: string } = JSON.parse(await discovery.text());
  const token = await issuer.token({ groups: ['payments'] });
  const { payload, protectedHeader } = await jwtVerify(token, createRemoteJWKSet(new URL(keys)), {
    issuer: issuer.issuer,
    audience: 'https://codec.example.com',
  });
  expect(protectedHeader.typ).toBe('at+jwt');
  expect(payload).toMatchObject({ sub: 'subject-1', groups: ['payments'] });
});
