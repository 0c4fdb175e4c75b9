import { type FinishedSource, memorySource } from '../bytes/source.ts';
import { knowledgeOfCapture } from '../check/capture.ts';
import { Destination, type DestinationKnowledge } from '../check/destination.ts';
import { factsOfProfile } from '../check/facts.ts';
import type { Profile } from '../check/profile.ts';
import { profile as profileContainer } from '../containers/profile.ts';
import { SchemaTables } from '../layout/tables.ts';
import { builtinTablesOfWriter } from '../vm/builtin-tables.ts';
import { openVm } from '../vm/vm.ts';
import { openInput } from './open-input.ts';
import { packagedSchemas } from './packaged-schemas.ts';
import { readProfile } from './profile-file.ts';
import { openSchema } from './schema-file.ts';

/** Bytes that tell whether a file is a profile. */
const MAX_HEAD = 64;

/** Where the knowledge of a destination is; any mix of these. */
export interface DestinationFiles {
  /** A QEMU binary or a schema file; it comes before the tables in a profile. */
  readonly schema?: string | undefined;
  /** A profile, or a stream of the destination itself. */
  readonly profile?: string | undefined;
  /** Migration capabilities and parameters that are set for the load, over what the profile has. */
  readonly capabilities?: Readonly<Record<string, boolean>> | undefined;
  readonly parameters?: Readonly<Record<string, string>> | undefined;
}

export interface OpenedDestination {
  readonly destination: Destination;
  /** What was taken for granted, in a line each. */
  readonly remarks: readonly string[];
  close(): Promise<void>;
}

/** Opens what is known of a destination. Throws DecodeError where a file is not what it should be. */
export async function openDestination({
  schema,
  profile,
  ...set
}: DestinationFiles): Promise<OpenedDestination> {
  const given = schema === undefined ? undefined : new SchemaTables(await openSchema(schema));
  if (profile === undefined)
    return { destination: new Destination({ tables: given, ...set }), remarks: [], close: async () => {} };
  const input = await openInput(profile, { stopAt: profileContainer });
  try {
    const { source } = input;
    const head = await source.read(0, MAX_HEAD);
    if (!profileContainer.matches(head))
      return { ...(await destinationOfStream(source, given, set)), close: () => input.close() };
    const read = await readProfile(source, profile);
    await input.close();
    const destination = await destinationOfProfile(read, profile, given, set);
    return { destination, remarks: [], close: async () => {} };
  } catch (error) {
    await input.close();
    throw error;
  }
}

/** A destination of which there is a profile, which messages call `name`; `given` tables come before its own. */
export async function destinationOfProfile(
  profile: Profile,
  name: string,
  given?: SchemaTables,
  set: Pick<DestinationKnowledge, 'capabilities' | 'parameters'> = {},
): Promise<Destination> {
  const tables = given ?? (profile.schema && new SchemaTables(profile.schema));
  const own = await openVm(memorySource(profile.stream, name), {
    pagesLeftOut: profile.kind === 'profile',
    sender: knowledgeOfCapture(profile).sender,
    ...(tables ? { tables } : {}),
  });
  return new Destination({
    ...set,
    commandLine: profile.commandLine,
    tables,
    own,
    facts: factsOfProfile(profile),
    qemuVersion: profile.qemu.version,
  });
}

/** A destination of which there is a stream; built-in tables stand for those of its QEMU where these are not given. */
export async function destinationOfStream(
  source: FinishedSource,
  given?: SchemaTables,
  set: Pick<DestinationKnowledge, 'capabilities' | 'parameters'> = {},
): Promise<Pick<OpenedDestination, 'destination' | 'remarks'>> {
  const own = await openVm(source, given ? { tables: given } : {});
  if (given) return { destination: new Destination({ ...set, tables: given, own }), remarks: [] };
  const writer = await builtinTablesOfWriter(own, packagedSchemas);
  if (!writer) return { destination: new Destination({ ...set, own }), remarks: [] };
  const { tables } = writer;
  const destination = new Destination({ ...set, tables, own, qemuVersion: writer.qemuVersion ?? null });
  const { qemuVersion, target } = tables.schema;
  const others = writer.qemuVersion === undefined ? ', as those of other versions do' : '';
  const remark = `taken to be QEMU ${qemuVersion}, ${target}, whose built-in tables fit its state best${others}; --qemu or --schema says which it is`;
  return { destination, remarks: [remark] };
}
