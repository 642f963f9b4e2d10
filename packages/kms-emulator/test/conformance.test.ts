import { afterAll, beforeAll, describe } from 'vitest';
import { cryptographyTests } from './conformance/cryptography.ts';
import { Fixture } from './conformance/fixture.ts';
import { iamTests } from './conformance/iam.ts';
import { resourceTests } from './conformance/resources.ts';
import { signingTests } from './conformance/signing.ts';
import { versionTests } from './conformance/versions.ts';
import { conformanceTargets } from './support/targets.ts';

describe.each(conformanceTargets(process.env))('$name', (target) => {
  const timeout = target.name.startsWith('Cloud KMS') ? 10 * 60_000 : 180_000;
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await Fixture.open(target.open());
  }, timeout);
  afterAll(async () => {
    await fixture.close();
  }, timeout);

  describe('key rings and keys', { timeout }, () => resourceTests(() => fixture));
  describe('key versions', { timeout }, () => versionTests(() => fixture));
  describe('cryptography', { timeout }, () => cryptographyTests(() => fixture));
  describe('signing', { timeout }, () => signingTests(() => fixture));
  describe('IAM', { timeout }, () => iamTests(() => fixture));
});
