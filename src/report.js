/* Fills the page of a report from its figures (report_json.c) and draws the charts with Chart.js.
 * Whatever comes from the tables becomes text, never markup. */
'use strict';

const data = JSON.parse(document.getElementById('data').textContent);
const byId = id => document.getElementById(id);

/* ---- words and numbers */

const KINDS = {
    linear: 'least squares',
    ridge: 'ridge',
    quadratic: 'quadratic',
    cubic: 'cubic',
    fourier: 'Fourier',
};

const MEANINGS = {
    linear: 'Plain least squares: a weighted sum of the features.',
    ridge: 'Ridge: a weighted sum of the features, with a penalty on large weights.',
    quadratic: 'Quadratic: a weighted sum of the features, their squares and products of two.',
    cubic: 'Cubic: a weighted sum of the features and of products of two and three.',
    fourier: 'Fourier: a weighted sum of the features, of softened products and of cosines of ' +
        'random directions, which can follow any smooth function.',
};

/* Why nothing was tried. */
const REASONS = {
    asked: 'MODEL=linear asks for it, so no other kind was tried.',
    rows: 'With fewer than 30 rows no other kind is tried.',
    features: 'With more than 256 features no other kind is tried.',
    parts: 'The rows are too much alike to be split in five parts, so no other kind was tried.',
};

const exists = value => typeof value === 'number';

function number(value, digits = 4) {
    if (!exists(value))
        return '–';
    const size = Math.abs(value);
    if (size !== 0 && (size >= 1e7 || size < 1e-4))
        return value.toExponential(digits - 1).replace(/\.?0+e/, 'e').replace('e+', 'e').replace('-', '−');
    return String(Number(value.toPrecision(digits))).replace('-', '−');
}

const whole = value => value.toLocaleString('en');
const plural = (count, noun) => `${whole(count)} ${noun}${count === 1 ? '' : 's'}`;
const percent = share => `${number(100 * share, share < 0.1 ? 2 : 3)} %`;
const shorten = (text, most) =>
    [...text].length > most ? [...text].slice(0, most - 1).join('') + '…' : text;

function probability(p) {
    if (!exists(p))
        return '–';
    return p < 1e-15 ? '< 1e−15' : number(p, 2);
}

/* ---- elements */

function element(tag, content, className) {
    const made = document.createElement(tag);
    if (className)
        made.className = className;
    for (const part of [content].flat())
        made.append(part);
    return made;
}

function say(id, text) {
    byId(id).textContent = text;
    byId(id).hidden = text === '';
}

function hide(id) {
    byId(id).hidden = true;
}

/* The first cell of a row is its head. */
function fillTable(id, heads, rows) {
    const line = cells => cells.map((cell, i) => element(i === 0 ? 'th' : 'td', cell));
    byId(id).replaceChildren(
        element('thead', element('tr', heads.map(head => element('th', head)))),
        element('tbody', rows.map(row => element('tr', line(row.cells), row.className))));
}

/* ---- charts: drawn anew when the colours change */

const drawings = [];
let charts = [];

function colours() {
    const style = getComputedStyle(document.documentElement);
    const of = name => style.getPropertyValue('--' + name).trim();
    return {ink: of('ink'), soft: of('soft'), line: of('line'), first: of('first'), second: of('second'),
        third: of('third'), card: of('card')};
}

function drawAll() {
    charts.forEach(chart => chart.destroy());
    const shades = colours();
    Chart.defaults.color = shades.soft;
    Chart.defaults.borderColor = shades.line;
    Chart.defaults.font.family = getComputedStyle(document.documentElement).fontFamily;
    charts = drawings.map(({id, make}) => new Chart(byId(id), make(shades)));
}

/* A chart's description stands in for it where it cannot be seen. */
function addChart(id, description, make) {
    byId(id).setAttribute('role', 'img');
    byId(id).setAttribute('aria-label', description);
    drawings.push({id, make});
}

function options(x, y, more = {}) {
    const {plugins, ...rest} = more;
    return {
        animation: false,
        maintainAspectRatio: false,
        devicePixelRatio: Math.max(2, window.devicePixelRatio || 1),
        scales: {x, y},
        plugins: {legend: {display: false}, ...plugins},
        ...rest,
    };
}

function axis(title, more = {}) {
    const {ticks, ...rest} = more;
    return {title: {display: true, text: title}, ticks: {maxRotation: 0, ...ticks}, ...rest};
}

const numberTicks = {callback: value => number(value, 6)};
const zeroLine = shades => ({color: context => context.tick && context.tick.value === 0 ? shades.soft : shades.line});
/* See-through where there are many. */
const translucent = (colour, count) =>
    colour + (count > 1000 ? '59' : count > 200 ? '80' : 'b3');

/* ---- header, figures */

const kind = data.model.kind;
const figures = data.figures;
const lastPoint = data.curve.length > 0 ? data.curve[data.curve.length - 1] : null;
const target = data.header ? shorten(data.target, 60) : `the last column, ${data.target}`;
const perfect = exists(figures.rmse) && exists(figures.target_deviation) &&
    figures.rmse <= 1e-12 * figures.target_deviation && !(figures.r2 < 0.999);

function writeHeader() {
    byId('title').textContent = `Predicting ${target}`;
    document.title = `Trendline report: ${target}`;
    say('about', `${data.train}: ${plural(data.rows, 'row')}, ${plural(data.features, 'feature')}. ` +
        `${data.test}: ${plural(data.predictions, 'prediction')} in output.txt.` +
        (data.clipped > 0 ? ` ${whole(data.clipped)} of them would be far beyond the targets seen, and were ` +
            'brought back to the edge of their range.' : ''));
    say('footer', `Made by Trendline ${data.version} on ${data.created.replace('T', ' at ').replace('Z', ' UTC')}.`);
}

function compare(error, other) {
    const ratio = error / other;
    if (!isFinite(ratio) || Math.abs(ratio - 1) < 0.005)
        return 'the same as the model';
    if (ratio > 1000)
        return 'over a thousand times the model’s';
    return ratio > 2 ? `${number(ratio, 2)} times the model’s` :
        `${percent(Math.abs(ratio - 1))} ${ratio > 1 ? 'more' : 'less'} than the model`;
}

function writeFigures() {
    const tiles = [];
    const add = (name, value, note) =>
        tiles.push(element('div', [element('dt', name), element('dd', [value, element('small', note)])]));
    add('R²', figures.r2 > 0.9999 && figures.r2 < 1 ? '> 0.9999' : number(figures.r2), exists(figures.r2) ? 'of the training rows’ variance is explained' :
        'undefined: the target is constant');
    if (exists(figures.residual_deviation))
        add('Residual standard deviation', number(figures.residual_deviation),
            `training rows, ${plural(figures.degrees_of_freedom, 'degree')} of freedom`);
    else
        add('Root mean square residual', number(figures.rmse), 'on the training rows');
    if (lastPoint) {
        add('Cross-validated error', number(lastPoint.chosen), 'root mean square, on rows not learnt from');
        if (kind !== 'linear')
            add('… of least squares', number(lastPoint.linear), compare(lastPoint.linear, lastPoint.chosen));
        add('… of always saying the mean', number(lastPoint.mean), compare(lastPoint.mean, lastPoint.chosen));
    }
    byId('figures').replaceChildren(...tiles);
}

function writeVerdict() {
    if (!lastPoint)
        say('verdict', 'There are too few rows, or rows too much alike, to say how well new ones would be ' +
            'predicted: the figures below are of the rows that the model was made from.');
    else if (perfect)
        say('verdict', 'The model reproduces every target, to within the rounding of numbers.');
    else
        say('verdict', `On a row that it has not seen, the model is off by about ${number(lastPoint.chosen, 3)} ` +
            `(root mean square). Always saying the mean would be off by ${number(lastPoint.mean, 3)}.`);
}

/* ---- the choice */

function explainChoice() {
    const tried = data.model.tried;
    if (tried.length === 0)
        return REASONS[data.model.reason];
    const best = tried.reduce((a, b) => (exists(b.error) && b.error < a.error ? b : a));
    const own = tried.find(trial => trial.kind === kind);
    if (best.kind === kind)
        return `Of the ${tried.length} kinds tried it has the least cross-validated error, ` +
            `${number(own.error)}` + (tried[0].kind === kind ? ', and it is the simplest.' :
            ', and the simpler ones are worse by more than chance explains.');
    return `Its cross-validated error is ${number(own.error)}. The least one is ${number(best.error)} ` +
        `(${KINDS[best.kind]}), but so small a difference may be chance, and the simpler model wins.`;
}

function notTried() {
    if (data.model.tried.length === 0 || data.model.tried.length === Object.keys(KINDS).length)
        return '';
    if (!data.residuals)
        return ' Kinds that need a second reading of the table were not tried, as it came from a pipe.';
    return ' Kinds that would have too many terms with so many features were not tried.';
}

function drawTried() {
    const tried = data.model.tried;
    const errors = tried.map(trial => trial.error).filter(exists);
    const best = Math.min(...errors), most = Math.max(...errors);
    const cut = best > 0 && most > 10 * best && most < 1e6 * best;
    addChart('tried-chart', 'Cross-validated error of each kind of model; the table has the figures.', shades => ({
        type: 'bar',
        data: {
            labels: tried.map(trial => KINDS[trial.kind]),
            datasets: tried[0].folds.map((unused, part) => ({
                type: 'line', showLine: false, indexAxis: 'y', data: tried.map(trial => trial.folds[part]),
                pointRadius: 3, pointBackgroundColor: shades.card, pointBorderColor: shades.ink,
            })).concat([{
                data: tried.map(trial => trial.error), barPercentage: 0.8,
                backgroundColor: tried.map(trial => (trial.kind === kind ? shades.first : shades.third)),
            }]),
        },
        options: options(
            axis('cross-validated error', {min: 0, max: cut ? 10 * best : undefined,
                ticks: {...numberTicks, includeBounds: false}}),
            {type: 'category', offset: true, grid: {display: false}}, {indexAxis: 'y'}),
    }));
    say('tried-note', 'Bars: over all rows. Dots: each of the five parts of the rows, predicted by what the other four know.' +
        (cut ? ' Bars that reach the edge are longer than shown.' : ''));
}

function writeChoice() {
    const tried = data.model.tried;
    say('reason', `${MEANINGS[kind]} ${explainChoice()}${notTried()}`);
    if (tried.length === 0) {
        hide('tried');
        return;
    }
    if (tried.some(trial => trial.error > 0))
        drawTried();
    else
        hide('tried-figure');
    fillTable('tried-table', ['kind', 'terms', 'error'], tried.map(trial => ({
        cells: [KINDS[trial.kind] + (trial.kind === kind ? ' (chosen)' : ''), whole(trial.terms), number(trial.error)],
        className: trial.kind === kind ? 'chosen' : '',
    })));
}

/* ---- predicted, actual, residuals */

/* A little room around the values; around a single one as well. */
function range(values) {
    const least = values.reduce((a, b) => Math.min(a, b), Infinity);
    const most = values.reduce((a, b) => Math.max(a, b), -Infinity);
    const room = (most - least) * 0.03 || Math.abs(most) * 0.03 || 1;
    return {min: least - room, max: most + room};
}

function drawScatter(sample) {
    const both = range(sample.flat());
    addChart('scatter-chart', 'Actual values against predicted ones, with the diagonal where they are equal.', shades => ({
        type: 'scatter',
        data: {
            datasets: [{
                type: 'line', data: [{x: both.min, y: both.min}, {x: both.max, y: both.max}],
                borderColor: shades.second, borderWidth: 1.5, pointRadius: 0, pointHitRadius: 0,
            }, {
                data: sample.map(([x, y]) => ({x, y})), pointRadius: 2.5,
                backgroundColor: translucent(shades.first, sample.length), borderWidth: 0,
            }],
        },
        options: options(axis('predicted', {...both, ticks: {...numberTicks, includeBounds: false}}),
            axis('actual', {...both, ticks: {...numberTicks, includeBounds: false}})),
    }));
    say('scatter-note', 'Each dot is a row. On the line the prediction is right.');
}

function drawResiduals(sample) {
    addChart('residual-chart', 'Residuals against predicted values, with the line where they are zero.', shades => ({
        type: 'scatter',
        data: {
            datasets: [{
                data: sample.map(([x, y]) => ({x, y: y - x})), pointRadius: 2.5,
                backgroundColor: translucent(shades.first, sample.length), borderWidth: 0,
            }],
        },
        options: options(
            axis('predicted', {...range(sample.map(([x]) => x)), ticks: {...numberTicks, includeBounds: false}}),
            axis('actual − predicted', {ticks: numberTicks, grid: zeroLine(shades)})),
    }));
    say('residual-note', 'What is left. A shape that can be seen here, such as a bend or a fan, is something that the model has missed.');
}

/* Fewer rows, wider bins. */
function merged(histogram) {
    const together = data.rows < 150 ? 4 : data.rows < 1500 ? 2 : 1;
    const counts = [];
    histogram.counts.forEach((count, i) => {
        const at = Math.floor(i / together);
        counts[at] = (counts[at] || 0) + count;
    });
    return {counts, width: histogram.width * together, from: histogram.from};
}

function drawHistogram(histogram) {
    const {counts, width, from} = merged(histogram);
    const centre = i => from + (i + 0.5) * width;
    const normal = x => data.rows * width / figures.rmse / Math.sqrt(2 * Math.PI) * Math.exp(-0.5 * (x / figures.rmse) ** 2);
    const beyond = histogram.below + histogram.above;
    const bell = Array.from({length: 121}, (unused, i) => from - i * from / 60);
    addChart('histogram-chart', 'How often residuals of each size occur, beside the normal distribution.', shades => ({
        data: {
            datasets: [{
                type: 'line', data: bell.map(x => ({x, y: normal(x)})),
                borderColor: shades.second, borderWidth: 1.5, pointRadius: 0, pointHitRadius: 0,
            }, {
                type: 'bar', data: counts.map((y, i) => ({x: centre(i), y})),
                backgroundColor: shades.first, barPercentage: 1, categoryPercentage: 0.94,
            }],
        },
        options: options(
            axis('actual − predicted', {type: 'linear', offset: false, min: from, max: -from, grid: {display: false},
                ticks: {...numberTicks, includeBounds: false}}),
            axis('rows', {beginAtZero: true, ticks: {precision: 0}})),
    }));
    say('histogram-note', `Residuals of all ${plural(data.rows, 'row')}; the line is what normal ones would give. ` +
        `They are between ${number(data.residuals.least)} and ${number(data.residuals.greatest)}` +
        (beyond > 0 ? `; ${whole(beyond)} (${percent(beyond / data.rows)}) lie beyond the edges, four times the root mean square.` : '.'));
}

function writeRows() {
    const residuals = data.residuals;
    if (!residuals) {
        hide('rows');
        say('rows-note', 'These pictures need the training table once more, and it came from a pipe, which can be read only once.');
        return;
    }
    if (perfect || !exists(figures.rmse) || residuals.sample.length === 0) {
        hide('rows');
        say('rows-note', !perfect ? 'The squares of the residuals are beyond the range of numbers.' :
            'Every prediction equals the actual value, to within rounding: there is nothing left to draw.');
        return;
    }
    const all = residuals.sample.length === data.rows;
    say('rows-note', 'These are the rows that the model was made from, so they look somewhat better than new rows would; ' +
        'the cross-validated error does not.' + (all ? '' :
        ` The dots are ${whole(residuals.sample.length)} of the ${whole(data.rows)} rows, taken at random.`));
    drawScatter(residuals.sample);
    drawResiduals(residuals.sample);
    if (exists(residuals.histogram.width) && residuals.histogram.width > 0)
        drawHistogram(residuals.histogram);
    else
        hide('histogram');
}

/* ---- the learning curve */

/* The model's own line is what matters: others that lie far above are told in words. */
function drawCurve() {
    const most = key => Math.max(...data.curve.map(point => point[key]).filter(exists));
    const least = key => Math.min(...data.curve.map(point => point[key]).filter(exists));
    const limit = Math.min(3 * most('chosen'), Math.max(1.5 * most('mean'), 1.5 * lastPoint.chosen)) || undefined;
    const lines = [
        {label: KINDS[kind], key: 'chosen', shade: 'first'},
        {label: 'least squares', key: 'linear', shade: 'second'},
        {label: 'always saying the mean', key: 'mean', shade: 'third', dash: [5, 4]},
    ].filter(line => line.key !== 'linear' || kind !== 'linear');
    const shown = lines.filter(line => line.key === 'chosen' || !limit || least(line.key) <= limit);
    const above = lines.filter(line => !shown.includes(line));
    const cut = limit && shown.some(line => most(line.key) > limit);
    addChart('curve-chart', 'Cross-validated error against the number of rows learnt from.', shades => ({
        type: 'line',
        data: {
            datasets: shown.map(({label, key, shade, dash}) => ({
                label, data: data.curve.map(point => ({x: point.rows, y: point[key]})),
                borderColor: shades[shade], backgroundColor: shades[shade], borderWidth: 2,
                pointRadius: dash ? 0 : 4, borderDash: dash,
            })),
        },
        options: options(
            axis('rows learnt from', {type: 'linear', beginAtZero: true, ticks: {callback: value => whole(value)}}),
            axis('cross-validated error', {beginAtZero: true, max: cut ? limit : undefined,
                ticks: {...numberTicks, includeBounds: false}}),
            {plugins: {legend: {display: true, labels: {boxHeight: 1, boxWidth: 24}}}}),
    }));
    say('curve-caption', 'Root mean square error on rows not learnt from, after one, two, three and four fifths of the rows, each five times over.' +
        (cut ? ' A line that leaves the picture above is worse than shown.' : '') +
        (above.length === 0 ? '' : ` Far above the picture: ${above.map(({label, key}) => `${label}, ${number(lastPoint[key], 3)}`).join('; ')}.`));
}

function writeCurve() {
    if (data.curve.length === 0) {
        hide('curve');
        say('curve-note', 'There are too few rows, or rows too much alike, for a learning curve.');
        return;
    }
    const [before, last] = data.curve.slice(-2);
    const gain = 1 - last.chosen / before.chosen;
    if (perfect)
        say('curve-note', 'No: the model is right already.');
    else if (gain > 0.02)
        say('curve-note', `Likely: the error still fell by ${percent(gain)} when a third more rows were learnt from.`);
    else
        say('curve-note', 'Hardly, if they are of the same sort: the error no longer falls by more than 2 % when a third more rows are learnt from. ' +
            'Other features might help.');
    drawCurve();
}

/* ---- the coefficients */

const FOREST_MAX = 40;

function coefficientWords(coefficients) {
    const words = [];
    if (kind === 'ridge')
        words.push('The predictions are made with ridge’s coefficients, in a column of their own; intervals are known for those of least squares.');
    else if (kind !== 'linear')
        words.push(`A ${KINDS[kind]} model has no coefficient for each feature. These are least squares’ on the same rows: the straight part of what each feature says, given the others.`);
    else
        words.push('What one more of a feature adds to the prediction, the others being the same.');
    if (!coefficients.has_errors)
        words.push(coefficients.degrees_of_freedom === 0 ?
            'There are no more rows than coefficients, so nothing is left to tell how sure they are: no standard errors, no intervals.' :
            'With more than 40 features standard errors and intervals are not computed.');
    return words.join(' ');
}

const strength = feature => Math.abs(feature.estimate * feature.deviation);

function drawForest(features, hasErrors) {
    const shown = features.filter(feature => !feature.aliased && exists(feature.deviation))
        .sort((a, b) => strength(b) - strength(a)).slice(0, FOREST_MAX);
    const scaled = key => shown.map(feature => feature[key] * feature.deviation);
    if (shown.length === 0) {
        hide('forest');
        return;
    }
    byId('forest-chart').parentNode.style.height = `${80 + 20 * shown.length}px`;
    addChart('forest-chart', 'Effect of each feature with its interval; the table has the figures.', shades => ({
        type: 'bar',
        data: {
            labels: shown.map(feature => shorten(feature.name, window.innerWidth < 500 ? 14 : 28)),
            datasets: [{
                type: 'line', indexAxis: 'y', showLine: false, data: scaled('estimate'), pointRadius: 4.5,
                pointBackgroundColor: shown.map(feature => (feature.p > 0.05 ? shades.card : shades.first)),
                pointBorderColor: shades.first, pointBorderWidth: 1.5,
            }].concat(!hasErrors ? [] : [{
                data: shown.map(feature => (exists(feature.low) && exists(feature.high) ?
                    [feature.low * feature.deviation, feature.high * feature.deviation] : null)),
                backgroundColor: shades.first, barThickness: 2.5,
            }]),
        },
        options: options(
            axis('effect of one standard deviation', {ticks: numberTicks, grid: zeroLine(shades)}),
            {type: 'category', offset: true, grid: {display: false}, ticks: {autoSkip: false}}, {indexAxis: 'y'}),
    }));
    say('forest-note', (hasErrors ? 'Dots: by how much the prediction changes with one standard deviation of the feature. ' +
        'Bars: 95 % confidence intervals; hollow dots are those whose interval contains zero.' :
        'By how much the prediction changes with one standard deviation of the feature.') +
        (shown.length < features.length ? ` The strongest ${shown.length} of ${features.length} features; the table has all.` : ''));
}

function writeCoefficients() {
    const coefficients = data.coefficients;
    if (!coefficients) {
        hide('forest');
        say('coefficients-note', 'Least squares has a coefficient beyond the range of numbers, so there is nothing to show.');
        say('coefficients-foot', '');
        return;
    }
    const ridge = kind === 'ridge', sure = coefficients.has_errors;
    const heads = ['feature', ...(ridge ? ['ridge'] : []), ridge ? 'least squares' : 'estimate',
        ...(sure ? ['standard error', 't', 'p', '95 % from', 'to'] : [])];
    const row = item => ({
        cells: [item.aliased ? `${item.name} (aliased)` : item.name, ...(ridge ? [number(item.ridge, 6)] : []),
            number(item.estimate, 6),
            ...(sure ? [number(item.standard_error), number(item.t), probability(item.p), number(item.low),
                number(item.high)] : [])],
        className: item.aliased || item.p > 0.05 ? 'weak' : '',
    });
    const rows = coefficients.features.map(row);
    const intercept = row(coefficients.intercept);
    intercept.cells[0] = element('em', 'intercept');
    say('coefficients-note', coefficientWords(coefficients));
    drawForest(coefficients.features, coefficients.has_errors);
    fillTable('coefficients', heads, [intercept, ...rows]);
    say('coefficients-foot', [
        coefficients.features.some(feature => feature.aliased) ?
            'Aliased: constant, or dependent on the features before it, and so without a coefficient of its own.' : '',
        sure ?
            'Standard errors, p and intervals suppose that errors are independent, normal and of one variance. Pale rows: p above 0.05.' : '',
    ].join(' ').trim());
}

/* ---- all of it */

writeHeader();
writeFigures();
writeVerdict();
writeChoice();
writeRows();
writeCurve();
writeCoefficients();
drawAll();

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
/* Paper is white, and as wide as .print in report.css. */
window.addEventListener('beforeprint', () => {
    document.documentElement.classList.add('print');
    drawAll();
});
window.addEventListener('afterprint', () => {
    document.documentElement.classList.remove('print');
    drawAll();
});
