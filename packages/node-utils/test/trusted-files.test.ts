import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  constants,
  lchownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { checkTrustedFolder, openTrustedFile, readTrustedFile } from '../src/trusted-files.ts';

const OTHER = 65_534;
const root = mkdtempSync(join(tmpdir(), 'trusted-files-'));
let folder: string;
let file: string;

beforeEach(() => {
  folder = join(mkdtempSync(join(root, 'case-')), 'folder');
  mkdirSync(folder, { mode: 0o755 });
  file = join(folder, 'policy.yaml');
  writeFileSync(file, 'content', { mode: 0o644 });
});
afterAll(() => rmSync(root, { recursive: true }));

const untrusted = expect.objectContaining({ code: 'untrusted' }) as unknown;

/** Reads the file and opens it. Both operations must have the same outcome. */
async function outcomes(path: string): Promise<readonly unknown[]> {
  const opened = openTrustedFile(path, constants.O_RDONLY).then(
    async ({ handle }) => {
      const text = await handle.readFile('utf8');
      await handle.close();
      return text;
    },
    (error: unknown) => error,
  );
  return [read(path), await opened];
}

function read(path: string): unknown {
  try {
    return readTrustedFile(path, 1_000).toString();
  } catch (error) {
    return error;
  }
}

const accepted = ['content', 'content'];
const refused = [untrusted, untrusted];

/** Some tests change a file's owner, which only root can do. */
const isRoot = process.geteuid?.() === 0;
const canMount = isRoot && spawnSync('unshare', ['--mount', 'true']).status === 0;

const above = () => dirname(folder);
const volume = () => join(above(), 'volume');
const mounted = () => join(volume(), 'policy.yaml');

/**
 * Writes a generation of a volume as kubelet's AtomicWriter does: creates a folder with mode 0755, then
 * renames a new link to `..data`.
 */
function write(generation: string, content: string, mode = 0o644): void {
  mkdirSync(join(volume(), generation), { mode: 0o755 });
  writeFileSync(join(volume(), generation, 'policy.yaml'), content, { mode });
  symlinkSync(generation, join(volume(), '..data_tmp'));
  renameSync(join(volume(), '..data_tmp'), join(volume(), '..data'));
}

function mount(mode = 0o1777): void {
  mkdirSync(volume());
  write('..2026_11_29_10_00_00.1', 'content');
  symlinkSync('..data/policy.yaml', mounted());
  chmodSync(volume(), mode);
}

describe('a trusted file', () => {
  it.each([0o400, 0o440, 0o444, 0o600, 0o640, 0o644, 0o755])('may have mode %o', async (mode) => {
    chmodSync(file, mode);
    expect(await outcomes(file)).toEqual(accepted);
  });

  it.each([0o660, 0o664, 0o620, 0o602, 0o606, 0o666, 0o777])('may not have mode %o', async (mode) => {
    chmodSync(file, mode);
    expect(await outcomes(file)).toEqual(refused);
  });

  it('must not be opened through a symbolic link to the file', async () => {
    for (const [n, target] of [file, 'policy.yaml', '..data/other', 'x/../policy.yaml'].entries()) {
      const link = join(folder, `link-${n}`);
      symlinkSync(target, link);
      expect(await outcomes(link)).toEqual(refused);
    }
  });

  it('must be a regular file', async () => {
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', ['-m', '600', fifo]);
    for (const path of [folder, fifo, '/dev/zero']) expect(read(path)).toEqual(untrusted);
    await expect(openTrustedFile('/dev/null', constants.O_RDWR)).rejects.toEqual(untrusted);
  });

  it('must exist and must not exceed the size limit', () => {
    expect(() => readTrustedFile(file, 3)).toThrow(Error);
    expect(read(join(folder, 'missing'))).toMatchObject({ code: 'ENOENT' });
    expect(read(join(file, 'below'))).toMatchObject({ code: 'ENOTDIR' });
  });

  it('is created with mode 0600 if it does not exist', async () => {
    const path = join(folder, 'new');
    const { handle, info } = await openTrustedFile(path, constants.O_CREAT | constants.O_RDWR);
    await handle.close();
    expect(info.mode & 0o777).toBe(0o600);
  });
});

describe('a trusted file’s folder', () => {
  it.each([0o700, 0o755, 0o750, 0o2755])('may have mode %o', async (mode) => {
    chmodSync(folder, mode);
    expect(await outcomes(file)).toEqual(accepted);
    await expect(checkTrustedFolder(folder)).resolves.toBeUndefined();
  });

  it.each([0o770, 0o775, 0o707, 0o777, 0o2775, 0o2777])('may not have mode %o', async (mode) => {
    chmodSync(folder, mode);
    expect(await outcomes(file)).toEqual(refused);
    await expect(checkTrustedFolder(folder)).rejects.toEqual(untrusted);
  });

  it('may be writable by everyone if it has the sticky bit, as /tmp does', async () => {
    chmodSync(folder, 0o1777);
    expect(await outcomes(file)).toEqual(accepted);
  });

  it('may be a link if its target passes the checks', async () => {
    const link = join(dirname(folder), 'link');
    symlinkSync('folder', link);
    expect(await outcomes(join(link, 'policy.yaml'))).toEqual(accepted);
    await expect(checkTrustedFolder(link)).rejects.toEqual(untrusted);
    chmodSync(folder, 0o777);
    expect(await outcomes(join(link, 'policy.yaml'))).toEqual(refused);
  });

  it('must not be reached through a link in a folder to which others can write', async () => {
    const open = join(dirname(folder), 'open');
    mkdirSync(open);
    symlinkSync(folder, join(open, 'link'));
    // The path is a chain of links, so that neither the given path nor the resolved path contains the folder
    // `open`.
    symlinkSync(join(open, 'link'), join(dirname(folder), 'chain'));
    const path = join(dirname(folder), 'chain', 'policy.yaml');
    expect(await outcomes(path)).toEqual(accepted);
    chmodSync(open, 0o777);
    expect(await outcomes(path)).toEqual(refused);
  });

  it('must not be a link to itself', async () => {
    symlinkSync('loop', join(folder, 'loop'));
    expect(await outcomes(join(folder, 'loop', 'policy.yaml'))).toEqual(refused);
  });
});

describe('a folder above a trusted file’s folder', () => {
  it.each([0o707, 0o777, 0o2777])('may not have mode %o', async (mode) => {
    chmodSync(above(), mode);
    expect(await outcomes(file)).toEqual(refused);
    await expect(checkTrustedFolder(folder)).rejects.toEqual(untrusted);
  });

  it.each([0o775, 0o1777, 0o3777])('may have mode %o', async (mode) => {
    chmodSync(above(), mode);
    expect(await outcomes(file)).toEqual(accepted);
  });
});

describe('a file in a Kubernetes ConfigMap or Secret volume', () => {
  it.each([
    ['a Secret’s volume', 0o1777],
    ['a Secret’s volume with fsGroup', 0o3777],
    ['a volume with mode 0755', 0o755],
  ])('is read from %s', (_, mode) => {
    mount(mode);
    expect(read(mounted())).toBe('content');
  });

  it('is read with the modes that fsGroup sets', () => {
    mount(0o3777);
    chmodSync(join(volume(), '..2026_11_29_10_00_00.1'), 0o2755);
    chmodSync(join(volume(), '..data/policy.yaml'), 0o440);
    expect(read(mounted())).toBe('content');
  });

  it('is read after kubelet has replaced the volume’s content', () => {
    mount();
    write('..2026_11_29_11_00_00.2', 'renewed');
    rmSync(join(volume(), '..2026_11_29_10_00_00.1'), { recursive: true });
    expect(read(mounted())).toBe('renewed');
  });

  it('is not read if others can write to the file, to the folder with the data, or to the volume', () => {
    mount();
    chmodSync(join(volume(), '..data/policy.yaml'), 0o666);
    expect(read(mounted())).toEqual(untrusted);
    chmodSync(join(volume(), '..data/policy.yaml'), 0o644);
    chmodSync(join(volume(), '..2026_11_29_10_00_00.1'), 0o777);
    expect(read(mounted())).toEqual(untrusted);
    chmodSync(join(volume(), '..2026_11_29_10_00_00.1'), 0o755);
    chmodSync(volume(), 0o777);
    expect(read(mounted())).toEqual(untrusted);
  });

  it.runIf(canMount)(
    'is read from a volume that is writable by others, if the volume is mounted read-only',
    () => {
      mount(0o777);
      const script = `import { readTrustedFile } from ${JSON.stringify(join(import.meta.dirname, '../src/trusted-files.ts'))};
      process.stdout.write(readTrustedFile(${JSON.stringify(mounted())}, 1000));`;
      const readOnly =
        'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$1" --input-type=module -e "$2"';
      const shell = ['sh', '-c', readOnly, volume(), process.execPath, script];
      expect(execFileSync('unshare', ['--mount', ...shell], { encoding: 'utf8' })).toBe('content');
    },
  );

  it('is not read through a link that leads out of the volume', () => {
    mount();
    mkdirSync(join(volume(), 'x'));
    for (const target of ['..data/../x/policy.yaml', join(volume(), '..data/policy.yaml'), '..data/other']) {
      rmSync(mounted());
      symlinkSync(target, mounted());
      expect(read(mounted())).toEqual(untrusted);
    }
  });
});

describe.runIf(isRoot)('another user', () => {
  const others: Readonly<Record<string, () => void>> = {
    'the file': () => chownSync(file, OTHER, OTHER),
    'the folder': () => chownSync(folder, OTHER, OTHER),
    'a folder above': () => chownSync(dirname(folder), OTHER, OTHER),
  };
  it.each(Object.keys(others))('may not own %s', async (what) => {
    others[what]?.();
    expect(await outcomes(file)).toEqual(refused);
  });

  it('may not own a link to a folder, or a link in a volume', () => {
    const link = join(dirname(folder), 'link');
    symlinkSync(folder, link);
    lchownSync(link, OTHER, OTHER);
    expect(read(join(link, 'policy.yaml'))).toEqual(untrusted);
    renameSync(folder, join(dirname(folder), '..data'));
    symlinkSync('..data/policy.yaml', join(dirname(folder), 'policy.yaml'));
    expect(read(join(dirname(folder), 'policy.yaml'))).toBe('content');
    lchownSync(join(dirname(folder), 'policy.yaml'), OTHER, OTHER);
    expect(read(join(dirname(folder), 'policy.yaml'))).toEqual(untrusted);
  });

  it('reads files that root or the user itself owns, but rejects files that a third user owns', async () => {
    chmodSync(root, 0o755);
    chmodSync(dirname(folder), 0o755);
    const asOther = async () => {
      process.seteuid?.(OTHER);
      return await outcomes(file).finally(() => process.seteuid?.(0));
    };
    expect(await asOther()).toEqual(accepted);
    chownSync(file, OTHER, OTHER);
    expect(await asOther()).toEqual(accepted);
    chownSync(file, OTHER - 1, OTHER);
    expect(await asOther()).toEqual(refused);
  });

  it('may not own the file, even if it is a hard link', async () => {
    const name = join(folder, basename(file, '.yaml'));
    linkSync(file, name);
    chownSync(name, OTHER, OTHER);
    expect(await outcomes(file)).toEqual(refused);
  });
});
