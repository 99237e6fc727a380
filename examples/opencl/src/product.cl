// A matrix product, tile by tile: each work-group of TILE x TILE work-items computes as many elements.
kernel __attribute__((reqd_work_group_size(TILE, TILE, 1)))
void product(global const float* a, global const float* b, global float* c) {
    local float rows[TILE][TILE], columns[TILE][TILE];
    const int x = get_local_id(0), y = get_local_id(1);
    const int column = get_global_id(0), row = get_global_id(1), width = get_global_size(0);
    float sum = 0;
    for (int at = 0; at < INNER; at += TILE) {
        rows[y][x] = a[row * INNER + at + x];
        columns[y][x] = b[(at + y) * width + column];
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int i = 0; i < TILE; i++) sum += rows[y][i] * columns[i][x];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    c[row * width + column] = sum;
}
