// A field over a series of snapshots: node track-field.mjs SELECTOR FILE… ('cpu/env.regs[0]', disk.qcow2#monday)
import { compileSelectors, formatPath, selectNodes } from 'vmwalk';
import { openVm } from 'vmwalk/node';

const [selector = '', ...files] = process.argv.slice(2);
const selection = compileSelectors([selector]);
for (const file of files) {
  const vm = await openVm(file);
  for await (const layout of vm.layouts()) {
    for (const { node, path } of selectNodes(layout, selection)) {
      if (node.kind === 'leaf') console.log(`${file}  ${layout.section}/${formatPath(path)}  ${node.value}`);
    }
  }
  await vm.close();
}
