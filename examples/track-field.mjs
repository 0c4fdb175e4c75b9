// A field over a series of snapshots: node track-field.mjs SELECTOR FILE… ('cpu@0/env.eip', disk.qcow2#monday)
import { compileSelectors, formatPath, selectNodes } from 'vmwalk';
import { openVm } from 'vmwalk/node';

const [selector, ...files] = process.argv.slice(2);
if (selector === undefined || files.length === 0) fail({ message: 'usage: node track-field.mjs SELECTOR FILE...' });
const selection = compileSelectors([selector]);
for (const file of files) {
  const vm = await openVm(file).catch(fail);
  for await (const layout of vm.layouts()) {
    const section = `${layout.section}@${layout.instanceId}`;
    for (const { node, path } of selectNodes(layout, selection)) {
      if (node.kind === 'leaf') console.log(`${file}  ${section}/${formatPath(path)}  ${node.value}`);
    }
  }
  await vm.close();
}

/** DecodeError has the name of the file in `source` where the message does not have it. */
function fail({ source, message }) {
  console.error(`track-field: ${source === undefined ? '' : `${source}: `}${message}`);
  process.exit(2);
}
