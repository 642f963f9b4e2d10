import writeFileAtomic from 'write-file-atomic';

/**
 * Writes a file that only the user of this process can read and write. It replaces a file of this name, whatever that
 * file's owner and mode. Other processes see the old content or the new content.
 */
export const writePrivateFile = (path: string, content: string): Promise<void> =>
  // Windows has no such owners, and ignores them.
  writeFileAtomic(path, content, {
    mode: 0o600,
    chown: { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 },
  });
