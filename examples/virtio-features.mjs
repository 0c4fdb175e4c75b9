// The features that the guest has accepted of each virtio device, by name: node virtio-features.mjs FILE
import { formatPath, walk } from 'vmwalk';
import { openVm } from 'vmwalk/node';

const vm = await openVm(process.argv[2] ?? '-').catch(fail);
for await (const layout of vm.layouts()) {
  for (const { node, path } of walk(layout.root)) {
    if (node.kind !== 'leaf' || node.meaning === undefined) continue;
    // Features beyond 32 bits, and the 64 of a device that has some, are in a subsection of their own.
    if (node.name === 'guest_features' || node.name === 'guest_features_lo')
      console.log(`${layout.section}@${layout.instanceId}  ${formatPath(path)}  ${node.meaning}`);
  }
}
await vm.close();

/** DecodeError has the name of the file in `source` where the message does not have it. */
function fail({ source, message }) {
  console.error(`virtio-features: ${source === undefined ? '' : `${source}: `}${message}`);
  process.exit(2);
}
