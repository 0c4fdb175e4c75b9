import { encodeText } from '../bytes/byte-writer.ts';
import { isJsonObject, type JsonObject } from '../schema/vmdesc.ts';

const CAPABILITIES = 'configuration/capabilities';
/** In front of the capabilities in a configuration. */
const PAGE_BITS = 'configuration/target-page-bits';

/**
 * A vmdesc whose description of the configuration says that these capabilities are in it, or none. Undefined where it does
 * not describe the configuration, as those of QEMU before 8.2 or so.
 */
export function withCapabilities(
  vmdesc: JsonObject,
  capabilities: readonly string[] | undefined,
): JsonObject | undefined {
  const { configuration } = vmdesc;
  if (!isJsonObject(configuration)) return undefined;
  const { subsections, ...rest } = configuration;
  const before = Array.isArray(subsections) ? subsections.filter(isJsonObject) : [];
  const others = before.filter(({ vmsd_name }) => vmsd_name !== CAPABILITIES);
  const isFirst = ({ vmsd_name }: JsonObject) => vmsd_name === PAGE_BITS;
  const described = [
    ...others.filter(isFirst),
    ...(capabilities ? [describeCapabilities(capabilities)] : []),
    ...others.filter((subsection) => !isFirst(subsection)),
  ];
  return {
    ...vmdesc,
    configuration: described.length > 0 ? { ...rest, subsections: described } : rest,
  };
}

/** As vmstate_configuration's subsection is described (migration/savevm.c): each is a length in a byte, and its name. */
function describeCapabilities(names: readonly string[]): JsonObject {
  const field = { name: 'capabilities', type: 'capability' };
  return {
    vmsd_name: CAPABILITIES,
    version: 1,
    fields: [
      { name: 'caps_count', type: 'uint32', size: 4 },
      ...names.map((name, index) => ({
        ...field,
        ...(names.length > 1 ? { index } : {}),
        size: 1 + encodeText(name).length,
      })),
    ],
  };
}
