"""The cells of a first lecture on backpropagation, as learners type them, with `Value` imported.

Every cell runs twice: with the plain class that such a lecture builds up, and with ours.
"""

import math
import random

import graphviz
import pytest

import tinygrad_edu


class PlainValue:
    """A node as the lecture writes it: the oracle of this file."""

    def __init__(self, data, _children=(), _op="", label=""):
        self.data, self.grad, self.label = data, 0.0, label
        self._backward = lambda: None
        self._prev, self._op = set(_children), _op

    def __add__(self, other):
        other = other if isinstance(other, PlainValue) else PlainValue(other)
        out = PlainValue(self.data + other.data, (self, other), "+")

        def _backward():
            self.grad += out.grad
            other.grad += out.grad

        out._backward = _backward
        return out

    def __mul__(self, other):
        other = other if isinstance(other, PlainValue) else PlainValue(other)
        out = PlainValue(self.data * other.data, (self, other), "*")

        def _backward():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out._backward = _backward
        return out

    def __pow__(self, other):
        out = PlainValue(self.data**other, (self,), f"**{other}")

        def _backward():
            self.grad += other * self.data ** (other - 1) * out.grad

        out._backward = _backward
        return out

    def exp(self):
        out = PlainValue(math.exp(self.data), (self,), "exp")

        def _backward():
            self.grad += out.data * out.grad

        out._backward = _backward
        return out

    def tanh(self):
        t = math.tanh(self.data)
        out = PlainValue(t, (self,), "tanh")

        def _backward():
            self.grad += (1 - t**2) * out.grad

        out._backward = _backward
        return out

    def backward(self):
        topo, visited = [], set()

        def build_topo(v):
            if v not in visited:
                visited.add(v)
                for child in v._prev:
                    build_topo(child)
                topo.append(v)

        build_topo(self)
        self.grad = 1.0
        for node in reversed(topo):
            node._backward()

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + (-other)

    def __truediv__(self, other):
        return self * other**-1

    def __rsub__(self, other):
        return (-self) + other

    def __rtruediv__(self, other):
        return self**-1 * other

    __radd__, __rmul__ = __add__, __mul__


CELLS = {
    "an expression": """
a = Value(2.0, label='a')
b = Value(-3.0, label='b')
c = Value(10.0, label='c')
e = a*b; e.label = 'e'
d = e + c; d.label = 'd'
f = Value(-2.0, label='f')
L = d * f; L.label = 'L'
shown = "%.4f %.4f" % (L.data, L.grad)
numbers = L
""",
    "a picture by hand": """
def trace(root):
    nodes, edges = set(), set()
    def build(v):
        if v not in nodes:
            nodes.add(v)
            for child in v._prev:
                edges.add((child, v))
                build(child)
    build(root)
    return nodes, edges

def draw_dot(root):
    dot = Digraph(format='svg', graph_attr={'rankdir': 'LR'})
    nodes, edges = trace(root)
    for n in nodes:
        uid = str(id(n))
        text = "{ %s | data %.4f | grad %.4f }" % (n.label, n.data, n.grad)
        dot.node(name=uid, label=text, shape='record')
        if n._op:
            dot.node(name=uid + n._op, label=n._op)
            dot.edge(uid + n._op, uid)
    for n1, n2 in edges:
        dot.edge(str(id(n1)), str(id(n2)) + n2._op)
    return dot

dot = draw_dot(L)
records = [line for line in dot.body if 'shape=record' in line]
labels = sorted(line.split('label="')[1].split('"')[0] for line in records)
numbers = len(dot.body), str(labels)
""",
    "gradients by hand": """
L.grad = 1.0
f.grad, d.grad = d.data, f.data
c.grad = d.grad * 1.0
e.grad = d.grad * 1.0
a.grad, b.grad = e.grad * b.data, e.grad * a.data
numbers = a, b, c, d, e, f, L
""",
    "a difference quotient": """
def lol(h):
    a = Value(2.0, label='a')
    a.data += h
    L = (a*b + c) * f
    return L.data
numbers = lol(0), (lol(0.0001) - lol(0)) / 0.0001
""",
    "a step by hand": """
for v in [a, b, c, f]:
    v.data += 0.01 * v.grad
e = a*b
d = e + c
L = d * f
numbers = L
""",
    "a neuron": """
x1 = Value(2.0, label='x1')
x2 = Value(0.0, label='x2')
w1 = Value(-3.0, label='w1')
w2 = Value(1.0, label='w2')
b = Value(6.8813735870195432, label='b')
x1w1 = x1*w1; x1w1.label = 'x1*w1'
x2w2 = x2*w2; x2w2.label = 'x2*w2'
x1w1x2w2 = x1w1 + x2w2; x1w1x2w2.label = 'x1*w1 + x2*w2'
n = x1w1x2w2 + b; n.label = 'n'
o = n.tanh(); o.label = 'o'
numbers = o, n
""",
    "backward node by node": """
o.grad = 1.0
o._backward()
n._backward()
b._backward()
x1w1x2w2._backward()
x2w2._backward()
x1w1._backward()
numbers = x1, x2, w1, w2, b, n, o, x1w1, x2w2, x1w1x2w2
""",
    "backward in topological order": """
for v in trace(o)[0]:
    v.grad = 0.0
topo = []
visited = set()
def build_topo(v):
    if v not in visited:
        visited.add(v)
        for child in v._prev:
            build_topo(child)
        topo.append(v)
build_topo(o)
o.grad = 1.0
for node in reversed(topo):
    node._backward()
numbers = len(topo), x1, x2, w1, w2, b, n, o
""",
    "a node used twice": """
a = Value(3.0, label='a')
b = a + a; b.label = 'b'
b.backward()
p, q = Value(-2.0), Value(3.0)
r = (p * q) * (p + q)
r.backward()
numbers = a, p, q, r
""",
    "numbers on both sides": """
a, b = Value(2.0), Value(4.0)
y = (a + 1) * 2 + 2 * a / b - (3 - b) ** 2 + 1 / a + sum([a, b]) - a
y.backward()
numbers = y, a, b
""",
    "tanh from exp": """
x = Value(0.8813735870195432)
e = (2*x).exp()
o = (e - 1) / (e + 1)
o.backward()
numbers = o, x, e
""",
    "a network": """
class Neuron:
    def __init__(self, nin):
        self.w = [Value(random.uniform(-1, 1)) for _ in range(nin)]
        self.b = Value(random.uniform(-1, 1))
    def __call__(self, x):
        act = sum((wi*xi for wi, xi in zip(self.w, x)), self.b)
        return act.tanh()
    def parameters(self):
        return self.w + [self.b]

class Layer:
    def __init__(self, nin, nout):
        self.neurons = [Neuron(nin) for _ in range(nout)]
    def __call__(self, x):
        outs = [n(x) for n in self.neurons]
        return outs[0] if len(outs) == 1 else outs
    def parameters(self):
        return [p for neuron in self.neurons for p in neuron.parameters()]

class MLP:
    def __init__(self, nin, nouts):
        sz = [nin] + nouts
        self.layers = [Layer(sz[i], sz[i+1]) for i in range(len(nouts))]
    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
    def parameters(self):
        return [p for layer in self.layers for p in layer.parameters()]

random.seed(1)
net = MLP(3, [4, 4, 1])
numbers = net([2.0, 3.0, -1.0]), len(net.parameters())
""",
    "training": """
xs = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
ys = [1.0, -1.0, -1.0, 1.0]
history = []
for k in range(20):
    ypred = [net(x) for x in xs]
    loss = sum((yout - ygt)**2 for ygt, yout in zip(ys, ypred))
    for p in net.parameters():
        p.grad = 0.0
    loss.backward()
    for p in net.parameters():
        p.data += -0.05 * p.grad
    history.append(loss.data)
numbers = tuple(history) + tuple(net.parameters()) + tuple(ypred)
""",
    "weights kept beside the nodes": """
velocity = {p: 0.0 for p in net.parameters()}
for p in net.parameters():
    velocity[p] = 0.9 * velocity[p] - 0.01 * p.grad
    p.data += velocity[p]
numbers = tuple(net.parameters())
""",
}


def flat(numbers):
    """Every number of a cell's result, with the gradients of its nodes."""
    if isinstance(numbers, tuple):
        return [x for part in numbers for x in flat(part)]
    return [numbers.data, numbers.grad] if hasattr(numbers, "grad") else [numbers]


@pytest.fixture(scope="module")
def notebooks():
    shared = {"Digraph": graphviz.Digraph, "random": random}
    return {"Value": tinygrad_edu.Value, **shared}, {"Value": PlainValue, **shared}


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_a_cell_gives_what_the_class_of_the_lecture_gives(cell, notebooks):
    found, expected = notebooks
    for names in notebooks:
        exec(cell, names)
    for x, y in zip(flat(found["numbers"]), flat(expected["numbers"]), strict=True):
        assert x == (y if isinstance(y, str) else pytest.approx(y, rel=1e-9, abs=1e-12))


def test_what_cannot_work_says_what_to_write():
    with pytest.raises(TypeError, match="write functions of Values, a @rule"):
        type("Mine", (tinygrad_edu.Value,), {})
    p = tinygrad_edu.Value(1.0)
    for name in ("m", "v", "velocity", "momentum"):
        with pytest.raises(AttributeError, match=f"as in {name} = {{p: 0.0 for p in parameters}}"):
            setattr(p, name, 0.0)
        assert not hasattr(p, name)
        assert name not in dir(p)
    with pytest.raises(AttributeError, match="leave it out of the list"):
        p.requires_grad = False
    with pytest.raises(AttributeError, match="no attribute"):
        p.anything_else = 0.0
