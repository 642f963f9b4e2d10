import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { findGo, type Go } from './go.ts';
import { projectRoot } from './project.ts';

/** OpenTofu, which runs the same configurations as Terraform, and which Go can build. */
const VERSION = 'v1.12.6';
const OPENTOFU = `github.com/opentofu/opentofu@${VERSION}`;

/** The version that deploy/terraform requires. */
const MINOR = 6;

export interface Terraform {
  /** Runs a command in a folder, and returns its output, also of a command that fails. */
  run(
    folder: string,
    args: readonly string[],
  ): Promise<{ readonly exitCode: number; readonly output: string }>;
  /**
   * Returns what `terraform plan` would create, in the form of `terraform show -json`.
   * @throws Error with the output of Terraform
   */
  plan(folder: string, variables: Readonly<Record<string, unknown>>): Promise<Plan>;
  close(): Promise<void>;
}

/** https://developer.hashicorp.com/terraform/internals/json-format */
export interface Plan {
  readonly planned_values: { readonly root_module: { readonly resources: readonly PlannedResource[] } };
  /** Values that are known before anything exists. */
  readonly output_changes: Readonly<Record<string, { readonly after: Json }>>;
}

export interface PlannedResource {
  readonly type: string;
  readonly name: string;
  readonly index?: string | number;
  readonly values: Json;
}

// oxlint-disable-next-line no-explicit-any -- the schema of the provider defines it
type Json = any;

/**
 * Returns `tofu` or `terraform` of the PATH, or else OpenTofu, built with Go at the first use, in some minutes. It plans and
 * validates with the schema of the google provider, and needs neither a registry nor credentials. Returns undefined, with a
 * message, if there is no Go.
 */
export async function findTerraform(): Promise<Terraform | undefined> {
  const go = await findGo('the Terraform module is not tested');
  if (go === undefined) return undefined;
  const program = await findTofu(go);
  const folder = await mkdtemp(join(tmpdir(), 'terraform-'));
  await go.build(join(projectRoot, 'scripts/google-provider'), join(folder, 'terraform-provider-google'));
  const config = join(folder, 'config.tfrc');
  const overrides = `dev_overrides {\n    "hashicorp/google" = ${JSON.stringify(folder)}\n  }`;
  await writeFile(config, `provider_installation {\n  ${overrides}\n}\n`);
  const env = {
    CHECKPOINT_DISABLE: '1',
    TF_CLI_CONFIG_FILE: config,
    TF_DATA_DIR: join(folder, 'data'),
    TF_IN_AUTOMATION: '1',
  };
  const run: Terraform['run'] = async (cwd, args) => {
    const { exitCode = 1, all } = await execa(program, args, { cwd, env, all: true, reject: false });
    return { exitCode, output: all };
  };
  return {
    run,
    plan: async (cwd, variables) => {
      const file = join(folder, 'plan');
      const values = join(folder, 'values.tfvars.json');
      await writeFile(values, JSON.stringify(variables));
      const options = ['-no-color', '-input=false', '-lock=false', `-var-file=${values}`, `-out=${file}`];
      const { exitCode, output } = await run(cwd, ['plan', ...options]);
      if (exitCode !== 0) throw new Error(output);
      const { stdout } = await execa(program, ['show', '-json', file], { cwd, env });
      return JSON.parse(stdout);
    },
    close: () => rm(folder, { recursive: true }),
  };
}

/** Returns `tofu` or `terraform` of the PATH, or else OpenTofu, built with Go at the first use. */
export async function findTofu(go: Go): Promise<string> {
  return (await installed()) ?? (await go.installFrom(OPENTOFU, './cmd/tofu', `tofu-${VERSION}`));
}

async function installed(): Promise<string | undefined> {
  for (const program of ['tofu', 'terraform']) {
    const { stdout, failed } = await execa(program, ['version', '-json'], { reject: false });
    const { terraform_version: version = '' }: { terraform_version?: string } = failed
      ? {}
      : JSON.parse(stdout);
    if (version.startsWith('1.') && Number(version.split('.')[1]) >= MINOR) return program;
  }
  return undefined;
}
