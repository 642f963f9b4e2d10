import writeFileAtomic from 'write-file-atomic';

/**
 * Writes a file that only the user of this process can read and write. Replaces an existing file, whatever
 * its owner and mode. Other processes see either the old or the new content.
 */
export const writePrivateFile = (path: string, content: string): Promise<void> =>
  // Windows has no user ids, and ignores the owner.
  writeFileAtomic(path, content, {
    mode: 0o600,
    chown: { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 },
  });
