/* The circulation by hand, eight patients to a vector: what a specialist would write in C, as the limit that
   the native back end is measured against. Reciprocals are hoisted, activations tabulated once. */

typedef double vec __attribute__((vector_size(64)));
typedef long long mask __attribute__((vector_size(64)));
#define W 8

static inline vec choose(mask m, vec a, vec b) { return (vec)(((mask)a & m) | ((mask)b & ~m)); }
static inline vec larger(vec a, vec b) { return choose(a > b, a, b); }
static inline vec smaller(vec a, vec b) { return choose(a < b, a, b); }

/* (1 - cos(pi x)) / 2 for x in [0, 2], by the Taylor series of cos(pi (x - 1) / 2) */
static inline vec raised_cosine(vec x) {
    static double c[12];
    if (c[0] == 0.0) {
        double quarter = 3.14159265358979323846 * 3.14159265358979323846 / 4.0;
        c[0] = 1.0;
        for (int n = 1; n < 12; n++) c[n] = -c[n - 1] * quarter / ((2 * n - 1) * (2 * n));
    }
    vec z = (x - 1.0) * (x - 1.0), w = z * 0.0 + c[11];
    for (int n = 10; n >= 0; n--) w = w * z + c[n];
    return w * w;
}

static void tabulate(const vec *p, double *table, int steps) {
    vec period = p[0], one = {1, 1, 1, 1, 1, 1, 1, 1};
    vec contract = one / p[1], relax = one / p[2], tenth = one * 10.0, two = one * 2.0;
    vec *out = (vec *)table;
    for (int i = 0; i <= 2 * steps; i++) {
        vec t = period * (i / (2.0 * steps)), u = t + 0.16;
        u = choose(u >= period, u - period, u);
        vec v = choose(t < p[1], t * contract, smaller(one + (t - p[1]) * relax, two));
        out[2 * i] = raised_cosine(v);
        out[2 * i + 1] = raised_cosine(smaller(u * tenth, two));
    }
}

/* q: 29 x 8, state: 12 x 8, table: (2 watched + 1) x 2 x 8, out: 8 x 8; all aligned to 64 bytes. The last beat,
   which is read, takes the watched number of steps, a whole multiple of the steps of the others. */
void run(const double *q, double *state, double *table, double *out, int steps, int watched, int beats) {
    const vec *p = (const vec *)q;
    tabulate(p, table, watched);
    int every = watched / steps;
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
            every = 1;
            h = p[0] / (double)steps;
            ahead[0] = ahead[1] = h * 0.5, ahead[2] = h;
            weight[0] = weight[3] = h * (1 / 6.0), weight[1] = weight[2] = h * (2 / 6.0);
        }
        for (int i = 0; i < steps; i++) {
            vec w[12], total[12];
            for (int k = 0; k < 12; k++) w[k] = total[k] = y[k];
#pragma GCC unroll 4
            for (int s = 0; s < 4; s++) {
                const vec *drive = (const vec *)(table + (2 * i + (s + 1) / 2) * every * 2 * W);
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
