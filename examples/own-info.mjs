// An info and an operation of one's own: what a PC's clock showed when it was saved. node own-info.mjs FILE
import { builtInInfos, FieldReader, walk, withInfos } from 'vmwalk';
import { openVm } from 'vmwalk/node';

const decimal = (byte) => `${byte >> 4}${byte & 15}`;

/** Opens up the memory of the RTC (an MC146818), which QEMU sends as a buffer; other buffers stay as they are. */
const rtcMemory = {
  ...builtInInfos.get('buffer'),
  names: ['buffer'],
  open({ section }, place) {
    if (place.name !== 'cmos_data') return undefined;
    const reader = new FieldReader(section, place);
    for (const name of ['seconds', 'alarm seconds', 'minutes', 'alarm minutes', 'hours', 'alarm hours'])
      reader.uint8(name, decimal);
    reader.buffer('rest', reader.left);
    return reader.finish(place);
  },
};

/** An operation is a function of a VM that returns data: undefined where there is no such clock. */
async function clock(vm) {
  const time = {};
  for (const section of vm.sections.filter(({ idstr }) => idstr === 'mc146818rtc')) {
    for (const { node } of walk((await vm.layout(section)).root)) {
      if (['hours', 'minutes', 'seconds'].includes(node.name)) time[node.name] = node.meaning;
    }
  }
  const { hours, minutes, seconds } = time;
  return seconds === undefined ? undefined : `${hours}:${minutes}:${seconds}`;
}

const infos = withInfos([rtcMemory]);
const vm = await openVm(process.argv[2] ?? '-', { infos }).catch(fail);
console.log((await clock(vm)) ?? fail({ message: `${vm.source.name} has no such clock` }));
await vm.close();

/** DecodeError has the name of the file in `source` where the message does not have it. */
function fail({ source, message }) {
  console.error(`own-info: ${source === undefined ? '' : `${source}: `}${message}`);
  process.exit(2);
}
