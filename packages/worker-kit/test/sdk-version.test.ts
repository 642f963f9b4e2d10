import { expect, it } from 'vitest';
import { requireTestedSdk, testedSdkVersions } from '../src/sdk-version.ts';

it('requireTestedSdk accepts the tested versions of Temporal’s SDK, including the version that these tests use', () => {
  for (const version of testedSdkVersions) expect(() => requireTestedSdk(`${version}.7`)).not.toThrow();
  expect(() => requireTestedSdk()).not.toThrow();
});

it.each(['1.23.4', '1.25.0', '1.2.4', '2.24.0', '11.24.0', ''])('requireTestedSdk refuses %j', (version) => {
  expect(() => requireTestedSdk(version)).toThrow(
    expect.objectContaining({ name: 'KmsConfigurationError', message: expect.stringContaining(version) }),
  );
});
