import { expect, it } from 'vitest';
import { KeysUnavailable } from '../../src/access/issuer-keys.ts';
import { type Changes, NOW, tokenOf, verify } from './support/signed.ts';

const missingOrWrong = (claim: string) => `its claim ${claim} is missing or wrong`;
const IS_ID_TOKEN = 'it is an ID token, but this server accepts only access tokens of its issuer';
const IS_ACCESS_TOKEN = 'it is an access token, but this server accepts only ID tokens of its issuer';

/** Returns changes that insert a member at the start of the claims. */
const inserting = (member: string): Changes => ({ json: (text) => text.replace('{', `{${member},`) });

it.each<[what: string, name: string, changes: Changes, why: string]>([
  ['is expired', 'access', { claims: { exp: NOW - 30 } }, 'it has expired; sign in again'],
  ['is too old', 'access', { claims: { iat: NOW - 25 * 3_600 } }, 'it is too old; sign in again'],
  ['is for another server', 'access', { claims: { aud: 'other' } }, 'it is for another server (aud)'],
  ['has no subject', 'access', { claims: { sub: '' } }, 'it has no subject (sub)'],
  ['has no expiry', 'access', { claims: { exp: undefined } }, missingOrWrong('exp')],
  ['has no time of issue', 'access', { claims: { iat: undefined } }, missingOrWrong('iat')],
  ['has a text as its start', 'access', { claims: { nbf: `${NOW + 600}` } }, missingOrWrong('nbf')],
  ['starts after every date', 'access', inserting('"nbf":1e400'), missingOrWrong('nbf')],
  ['has a number as its issuer', 'access', { claims: { iss: NOW + 600 } }, missingOrWrong('iss')],
  ['has a critical extension', 'access', { header: { crit: ['b64'] } }, 'it is not a readable signed JWT'],
  ['has white space', 'access', { input: (text) => ` ${text}` }, 'it is not a readable signed JWT'],
  [
    'has two subjects',
    'access',
    inserting('"sub":"bo"'),
    'it contains a name twice, or is nested too deeply',
  ],
  ['has no type', 'access', { header: { typ: undefined } }, 'its type is not at+jwt (an access token)'],
  ['has the type of an access token', 'id', { header: { typ: 'at+jwt' } }, IS_ACCESS_TOKEN],
  [
    'has the type of a logout token',
    'id',
    { header: { typ: 'logout+jwt' } },
    'its type is not that of a sign-in token',
  ],
  ['is an ID token of Keycloak', 'access-untyped', { claims: { typ: 'ID' } }, IS_ID_TOKEN],
  ['is an access token of Keycloak', 'id', { claims: { typ: 'Bearer' } }, IS_ACCESS_TOKEN],
  ['has no text as its kind', 'id', { claims: { token_use: null } }, IS_ACCESS_TOKEN],
])(
  'refuses a token that %s, reports why, and lets the log contain the reason',
  async (_, name, changes, why) => {
    await expect(verify(name, tokenOf(name, changes))).rejects.toMatchObject({
      status: 401,
      code: 'unauthenticated',
      challenge: `Bearer error="invalid_token", error_description="${why}"`,
      message: `The token is refused: ${why}.`,
      loggable: true,
    });
  },
);

it('reports a wrong signature', async () => {
  const [header, claims] = tokenOf('access', { claims: { sub: 'bo' } }).split('.');
  const [, , signature] = tokenOf('access').split('.');
  await expect(verify('access', `${header}.${claims}.${signature}`)).rejects.toMatchObject({
    status: 401,
    challenge: expect.stringContaining('its signature is wrong'),
  });
});

const noKeys = () => Promise.reject(new KeysUnavailable('no keys'));

it("does not call a token invalid while its issuer's keys are unavailable, and lets the log contain the reason", async () => {
  await expect(verify('access', tokenOf('access'), noKeys)).rejects.toMatchObject({
    status: 401,
    code: 'unauthenticated',
    challenge: 'Bearer',
    loggable: true,
  });
});

it('reports a defect of the server as such, not as a defect of the token', async () => {
  const defect = new RangeError('a defect');
  await expect(verify('access', tokenOf('access'), () => Promise.reject(defect))).rejects.toBe(defect);
});
