/* The circulation by hand, eight patients to a vector: what a specialist would write in C, as the limit that
   the native back end is measured against. Reciprocals are hoisted, activations tabulated once. */
#include <math.h>

typedef double vec __attribute__((vector_size(64)));
typedef long long mask __attribute__((vector_size(64)));
#define W 8
#define PI 3.14159265358979323846

static inline vec choose(mask m, vec a, vec b) { return (vec)(((mask)a & m) | ((mask)b & ~m)); }
static inline vec larger(vec a, vec b) { return choose(a > b, a, b); }
static inline vec smaller(vec a, vec b) { return choose(a < b, a, b); }

static void tabulate(const double *q, double *table, int steps) {
    for (int i = 0; i <= 2 * steps; i++)
        for (int l = 0; l < W; l++) {
            double period = q[l], c = q[W + l], r = q[2 * W + l];
            double t = period * i / (2.0 * steps), u = t + 0.16;
            u = u >= period ? u - period : u;
            double v = t < c ? t / c : 1.0 + fmin((t - c) / r, 1.0);
            double a = u < 0.1 ? u / 0.1 : 1.0 + fmin((u - 0.1) / 0.1, 1.0);
            table[i * 2 * W + l] = 0.5 - 0.5 * cos(PI * v);
            table[i * 2 * W + W + l] = 0.5 - 0.5 * cos(PI * a);
        }
}

/* q: 29 x 8, state: 12 x 8, table: (2 max(steps, watched) + 1) x 2 x 8, out: 8 x 8; all aligned to 64 bytes.
   The last beat, which is read, takes the watched number of steps. */
void run(const double *q, double *state, double *table, double *out, int steps, int watched, int beats) {
    tabulate(q, table, steps);
    const vec *p = (const vec *)q;
    vec y[12], one = {1, 1, 1, 1, 1, 1, 1, 1}, zero = {0};
    for (int i = 0; i < 12; i++) y[i] = ((vec *)state)[i];
    vec h = p[0] / (double)steps;
    vec open = one / p[15], shut = one / p[16];
    vec csa = one / p[18], csv = one / p[21], cpa = one / p[24], cpv = one / p[27];
    vec lsa = one / p[19], lsv = one / p[22], lpa = one / p[25], lpv = one / p[28];
    vec ahead[4] = {h * 0.5, h * 0.5, h, zero};
    vec weight[4] = {h * (1 / 6.0), h * (2 / 6.0), h * (2 / 6.0), h * (1 / 6.0)};
    vec sum_sa = zero, max_sa = zero, min_sa = zero, max_v = zero, min_v = zero, sum_pa = zero,
        sum_la = zero, max_lv = zero;
    for (int beat = 0; beat < beats; beat++) {
        int last = beat == beats - 1;
        if (last) {
            steps = watched;
            tabulate(q, table, steps);
            h = p[0] / (double)steps;
            ahead[0] = ahead[1] = h * 0.5, ahead[2] = h;
            weight[0] = weight[3] = h * (1 / 6.0), weight[1] = weight[2] = h * (2 / 6.0);
        }
        for (int i = 0; i < steps; i++) {
            vec w[12], total[12];
            for (int k = 0; k < 12; k++) w[k] = total[k] = y[k];
#pragma GCC unroll 4
            for (int s = 0; s < 4; s++) {
                const vec *drive = (const vec *)(table + (2 * i + (s + 1) / 2) * 2 * W);
                vec la = (p[4] + p[3] * drive[1]) * (w[0] - p[11]);
                vec lv = (p[6] + p[5] * drive[0]) * (w[1] - p[12]);
                vec ra = (p[8] + p[7] * drive[1]) * (w[2] - p[13]);
                vec rv = (p[10] + p[9] * drive[0]) * (w[3] - p[14]);
                if (last && s == 0) {
                    if (i == 0) {
                        max_sa = min_sa = w[4];
                        max_v = min_v = w[1];
                        max_lv = lv;
                    }
                    sum_sa += w[4];
                    max_sa = larger(max_sa, w[4]);
                    min_sa = smaller(min_sa, w[4]);
                    max_v = larger(max_v, w[1]);
                    min_v = smaller(min_v, w[1]);
                    sum_pa += w[6];
                    sum_la += la;
                    max_lv = larger(max_lv, lv);
                }
                vec d, mi, ao, tr, pu;
                d = la - lv, mi = d * choose(d > zero, open, shut);
                d = lv - w[4], ao = d * choose(d > zero, open, shut);
                d = ra - rv, tr = d * choose(d > zero, open, shut);
                d = rv - w[6], pu = d * choose(d > zero, open, shut);
                vec k[12] = {w[11] - mi,
                             mi - ao,
                             w[9] - tr,
                             tr - pu,
                             (ao - w[8]) * csa,
                             (w[8] - w[9]) * csv,
                             (pu - w[10]) * cpa,
                             (w[10] - w[11]) * cpv,
                             (w[4] - w[5] - p[17] * w[8]) * lsa,
                             (w[5] - ra - p[20] * w[9]) * lsv,
                             (w[6] - w[7] - p[23] * w[10]) * lpa,
                             (w[7] - la - p[26] * w[11]) * lpv};
                for (int j = 0; j < 12; j++) {
                    total[j] += weight[s] * k[j];
                    w[j] = y[j] + ahead[s] * k[j];
                }
            }
            for (int k = 0; k < 12; k++) y[k] = total[k];
        }
    }
    for (int i = 0; i < 12; i++) ((vec *)state)[i] = y[i];
    vec n = one * (double)steps, hundred = one * 100.0, stroke = max_v - min_v;
    vec *o = (vec *)out;
    o[0] = sum_sa / n, o[1] = max_sa, o[2] = min_sa, o[3] = hundred * stroke / max_v;
    o[4] = stroke * (one * 0.06) / p[0], o[5] = sum_pa / n, o[6] = sum_la / n, o[7] = max_lv;
}
