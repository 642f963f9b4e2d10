/** Returns the registry images in a Dockerfile that have no digest, so that their content could change. */
export function unpinnedImages(dockerfile: string): string[] {
  const text = dockerfile.replaceAll(/^\s*#.*$/gm, '').replaceAll(/\\\r?\n/g, ' ');
  const stages = [...text.matchAll(/^\s*FROM\s.*\sAS\s+(\S+)/gim)].map(([, stage = '']) =>
    stage.toLowerCase(),
  );
  const images = [...text.matchAll(/^\s*FROM\s+(?:--\S+\s+)*(\S+)|[\s,]-{0,2}from=([^\s,]+)/gim)];
  return images
    .map(([, base, from]) => base ?? from ?? '')
    .filter((image) => image !== 'scratch' && !/^\d+$/.test(image) && !stages.includes(image.toLowerCase()))
    .filter((image) => !/^[^$]+:[^$]+@sha256:[0-9a-f]{64}$/.test(image));
}

/** Returns the Dockerfile without digests, because the substitutes for the base images have other digests. */
export const withoutDigests = (dockerfile: string): string =>
  dockerfile.replaceAll(/@sha256:[0-9a-f]{64}/g, '');
