// The last step of a sum that many workgroups left in `pairs`: one workgroup adds them in a fixed order and
// writes COLUMNS of the two values to row Step::slot of the table, if this piece of it holds that row.
// #import shared/step.wgsl
// #import shared/workgroup.wgsl
@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32) {
    var total = vec2f();
    for (var i = thread; i < params.pairs; i += THREADS) {
        total += pairs[i];
    }
    let sum = workgroup_sum(thread, total);
    if thread != 0u || step.slot < params.row_begin || step.slot >= params.row_end {
        return;
    }
    for (var i = 0u; i < COLUMNS; i++) {
        let column = params.column + i;
        var four = load_table(step.slot, column / 4u);
        four[column % 4u] = sum[i];
        store_table(step.slot, column / 4u, four);
    }
}
