import { DecodeError } from '../bytes/diagnostic.ts';
import { type Profile, parseProfile, serializeProfile } from '../check/profile.ts';
import { asArray, asBoolean, asInteger, asObject, asText } from '../schema/checked-json.ts';
import type { Monitor } from './monitor.ts';
import { parseRamBlocks } from './monitor-text.ts';
import { ifRefused } from './qmp.ts';
import { type DeviceQuestions, readDevices } from './qom-devices.ts';

/** More than any machine has. */
const MAX_CPUS = 1 << 20;

/** What a QEMU whose machine is stopped tells of it over QMP. */
export type DestinationAnswers = Omit<Profile, 'kind' | 'commandLine' | 'messages' | 'schema' | 'stream'>;

/** What a migration depends on. */
export type MigrationAnswers = Pick<Profile, 'capabilities' | 'ramBlocks'>;

/** The machine type, and its QOM type. Throws Error for `none`, which has no state, and what Qmp.execute throws. */
export async function askMachineType(
  qmp: Monitor,
): Promise<{ readonly machineType: string; readonly type: string }> {
  const type = await qmp.execute('qom-get', { path: '/machine', property: 'type' }, asText);
  const machineType = type.replace(/-machine$/, '');
  if (machineType === 'none') throw new Error('a machine of type none has no state: give -M');
  return { machineType, type };
}

/** Asks a QEMU all that a profile has, but for its state. Throws what Qmp.execute throws. */
export async function askDestination(
  qmp: Monitor,
  questions: DeviceQuestions = {},
): Promise<DestinationAnswers> {
  // Together, as there may be a program to be started for each question.
  const [qemu, target, kvm, uuid, { machineType, type }, migration, possibleCpus, blockNodes] =
    await Promise.all([
      qmp.execute('query-version', {}, readVersion),
      qmp.execute('query-target', {}, (value, path) => asText(asObject(value, path)['arch'], 'arch')),
      qmp.execute('query-kvm', {}, (value, path) => asBoolean(asObject(value, path)['enabled'], 'enabled')),
      qmp.execute('query-uuid', {}, (value, path) => asText(asObject(value, path)['UUID'], 'UUID')),
      askMachineType(qmp),
      askMigration(qmp),
      readPossibleCpus(qmp),
      readBlockNodes(qmp),
    ]);
  return {
    qemu,
    target,
    machineType,
    kvm,
    uuid: uuid.replaceAll('-', ''),
    ...migration,
    ...(possibleCpus === undefined ? {} : { possibleCpus }),
    blockNodes,
    devices: await readDevices(qmp, type, questions),
  };
}

/** What QEMU told, as a profile is read again. Throws Error where a profile cannot hold it. */
export function checkedAnswers(answers: DestinationAnswers): DestinationAnswers {
  const profile: Profile = {
    ...answers,
    kind: 'profile',
    commandLine: [],
    messages: [],
    schema: undefined,
    stream: new Uint8Array(0),
  };
  try {
    parseProfile(serializeProfile(profile));
    return answers;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new Error(`what QEMU tells makes no profile (${error.message})`);
  }
}

/** Asks a QEMU how it would migrate, and what memory. Throws what Qmp.execute throws. */
export async function askMigration(qmp: Monitor): Promise<MigrationAnswers> {
  const [capabilities, ramBlocks] = await Promise.all([
    qmp.execute('query-migrate-capabilities', {}, readCapabilities),
    qmp.monitor('info ramblock').then(parseRamBlocks),
  ]);
  return { capabilities, ramBlocks };
}

/** VersionInfo of qapi/control.json. */
export function readVersion(value: unknown, path: string): Profile['qemu'] {
  const answer = asObject(value, path);
  const triple = asObject(answer['qemu'], 'qemu');
  const numbers = ['major', 'minor', 'micro'].map((name) => asInteger(triple[name], 0, 1000, `qemu.${name}`));
  return { version: numbers.join('.'), package: asText(answer['package'], 'package') };
}

/** MigrationCapabilityStatus of qapi/migration.json. */
function readCapabilities(value: unknown, path: string): Profile['capabilities'] {
  return Object.fromEntries(
    asArray(value, path).map((element, i) => {
      const { capability, state } = asObject(element, `[${i}]`);
      return [asText(capability, `[${i}].capability`), asBoolean(state, `[${i}].state`)];
    }),
  );
}

/** Machines that no CPU can be plugged into refuse to tell. */
function readPossibleCpus(qmp: Monitor): Promise<number | undefined> {
  const possible = qmp.execute('query-hotpluggable-cpus', {}, (value, path) =>
    asArray(value, path).reduce<number>((sum, slot, i) => {
      const cpus = asObject(slot, `[${i}]`)['vcpus-count'];
      return sum + asInteger(cpus, 0, MAX_CPUS, `[${i}].vcpus-count`);
    }, 0),
  );
  return possible.catch(ifRefused<number | undefined>(undefined));
}

async function readBlockNodes(qmp: Monitor): Promise<string[]> {
  const names = async (command: string, member: string) =>
    qmp.execute(command, {}, (value, path) =>
      asArray(value, path).map((node, i) => asText(asObject(node, `[${i}]`)[member] ?? '', member)),
    );
  const found = await Promise.all([
    names('query-named-block-nodes', 'node-name'),
    names('query-block', 'device'),
  ]);
  return [...new Set(found.flat())].filter((name) => name !== '');
}
